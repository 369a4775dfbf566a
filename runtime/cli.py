"""The `glyphlite` command: its root, `predict` and `read`, and what the other commands have in common.

Those are found by name and imported when they are called, so that `glyphlite predict` starts without TensorFlow, Flask
or matplotlib.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from .bundle import DEFAULT_MODEL, DEFAULT_READER
from .errors import GlyphliteError, counted, how_to_install
from .scale import parse_scale

INTERRUPTED = 130  # exit code, as shells give for SIGINT

# command: (module, attribute, extra, the packages by which the extra is known, short help)
ELSEWHERE = {
    "data": ("glyphlite.train.cli", "data", "", (), "Fetch, describe and preview data sets."),
    "train": ("glyphlite.train.cli", "train", "train", ("keras",), "Train a network and leave a run."),
    "distill": (
        "glyphlite.train.cli",
        "distill",
        "train",
        ("keras",),
        "Train a small network on a large one's answers.",
    ),
    "compress": (
        "glyphlite.compress.cli",
        "compress",
        "compress",
        ("tensorflow", "keras", "tf_keras"),
        "Turn a model into small artifacts.",
    ),
    "inspect": (
        "glyphlite.compress.inspect",
        "inspect",
        "",
        (),
        "Show the operators, bytes and MACs of a .tflite or .onnx.",
    ),
    "models": ("glyphlite.runtime.models_cli", "models", "", (), "List, describe, verify and install models."),
    "bench": ("glyphlite.benchmarks.cli", "bench", "", (), "Measure accuracy and latency."),
    "doctor": ("glyphlite.runtime.doctor", "doctor", "", (), "Check this machine, and say what to do."),
    "service": ("glyphlite.runtime.systemd", "service", "", (), "Run a command as a systemd service."),
    "serve": (
        "glyphlite.webapp.cli",
        "serve",
        "web",
        ("flask", "waitress", "prometheus_client"),
        "Serve predictions over HTTP.",
    ),
    "new": (
        "glyphlite.compress.new",
        "new",
        "compress",
        ("tensorflow", "keras", "tf_keras"),
        "From labelled images to a served model, step by step.",
    ),
    "watch": ("glyphlite.runtime.watch.cli", "watch", "", (), "Read a meter or a folder, for months."),
    "regions": (
        "glyphlite.runtime.watch.regions",
        "regions",
        "watch",
        ("tomlkit",),
        "Draw what `watch` reads on a picture, in the browser.",
    ),
}

# the extra of a package that no device needs
EXTRAS = {
    **dict.fromkeys(("keras", "tensorflow", "matplotlib"), "train"),
    **dict.fromkeys(("tf_keras", "ai_edge_quantizer", "onnx", "tf2onnx", "optuna"), "compress"),
}

F = TypeVar("F", bound=Callable[..., Any])


def _installed(packages: tuple[str, ...]) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)


class _Root(click.Group):
    """Lists every command; imports the module of one only when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*super().list_commands(context), *ELSEWHERE})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in ELSEWHERE:
            return super().get_command(context, name)
        module, attribute, extra, packages, _ = ELSEWHERE[name]
        if not _installed(packages):
            raise click.UsageError(f"`glyphlite {name}` is not installed: {how_to_install(extra)}")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(context):
            if name in ELSEWHERE:
                _, _, extra, packages, text = ELSEWHERE[name]
                if not _installed(packages):
                    text = f"(pip install '.[{extra}]') {text}"
            else:
                command = super().get_command(context, name)
                text = command.get_short_help_str(80) if command else ""
            rows.append((name, text))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Scale(click.ParamType):
    """What a float input's 0 and 255 become."""

    name = "LOW,HIGH"

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> tuple[float, ...]:
        try:
            return parse_scale(str(value))
        except ValueError as error:
            self.fail(str(error), param, context)


def json_option(command: F) -> F:
    """Every command that prints a result takes it."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def model_option(command: F, default: str = DEFAULT_MODEL) -> F:
    """The model to run."""
    text = "A shipped model's name, a bundle's folder, or a .tflite or .onnx file."
    return click.option("--model", default=default, show_default=True, help=text)(command)


def scale_option(command: F) -> F:
    """What a file without a card takes pixels as."""
    text = "What a model without a card takes 0 and 255 as; imagenet: by its mean and deviation.  [0,255]"
    return click.option("--scale", type=Scale(), help=text)(command)


def rotation_option(command: F) -> F:
    """Whether an image may be turned."""
    text = "Try quarter turns, and answer with the surest."
    return click.option("--any-rotation", is_flag=True, help=text)(command)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    click.echo("glyphlite: " + " ".join(message.split()), err=True)


@contextmanager
def muted_libraries() -> Iterator[None]:
    """Keep off stderr what LiteRT, OpenCV, libpng and libjpeg write there past Python; print ours outside of it."""
    try:
        kept = None if sys._xoptions else os.dup(2)  # `python -X …` reports on stderr: that is wanted
    except OSError:  # no stderr to keep clean
        kept = None
    if kept is None:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="glyphlite", prog_name="glyphlite")
def root() -> None:
    """Handwritten characters on a small device: predict, train, compress, serve, benchmark."""


def main() -> NoReturn:
    """Run the command line; errors become one line on stderr and an exit code."""
    for stream in (sys.stdout, sys.stderr):  # a file's name may hold what their encoding does not; so JSON stays JSON
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = root(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code if error.exit_code != 1 else 2)
    except GlyphliteError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except ImportError as error:  # missing, or without a library that it wants
        extra = EXTRAS.get(str(error.name).partition(".")[0])
        advice = how_to_install(extra) if extra else "`glyphlite doctor` looks at what is installed"
        backend = " (or KERAS_BACKEND=jax, where JAX is)" if error.name == "tensorflow" else ""
        complain(f"{(str(error).strip().splitlines() or ['?'])[0]}; {advice}{backend}")
        sys.exit(2)
    except OSError as error:  # what is written to: a full disk, a folder that may not be written
        complain(f"{error.filename or 'output'}: {error.strerror or error}")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        sys.exit(INTERRUPTED)
    except SystemExit as ended:  # 1 is click's, where the reader of our output has gone, as `head` does
        sys.exit(0 if ended.code == 1 else ended.code)
    sys.exit(code if isinstance(code, int) else 0)


# --- predict ---------------------------------------------------------------------------------------------------------


@root.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=str), metavar="IMAGE…")
@model_option
@scale_option
@click.option("--top", default=1, show_default=True, type=click.IntRange(1), help="How many answers to print for each.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    help="Refuse a less sure answer; default: as the model's card says.",
)
@rotation_option
@click.option("--timing", is_flag=True, help="End with the time per image.")
@json_option
def predict(
    images: tuple[str, ...],
    model: str,
    scale: tuple[float, ...] | None,
    top: int,
    min_confidence: float | None,
    any_rotation: bool,
    timing: bool,
    as_json: bool,
) -> int:
    """Recognise the one character in each IMAGE.

    An image that cannot be read or shows no character gets one line on stderr; the others are answered all the same,
    and the exit code is 2.
    """
    from .recognizer import Recognizer

    with muted_libraries():
        recognizer = Recognizer.load(model, value_range=scale)
    if recognizer.caution:
        complain(recognizer.caution)
    results: list[dict[str, Any]] = []
    code = 0
    start = time.perf_counter()
    for image in images:
        try:
            with muted_libraries():
                answer = recognizer.predict(image, top=top, min_confidence=min_confidence, any_rotation=any_rotation)
        except GlyphliteError as error:
            code = max(code, error.exit_code)
            complain(str(error))
            results.append({"file": image, "error": str(error)})
            continue
        result = {"file": image, "label": answer.label, "confidence": answer.confidence, "box": answer.box}
        if answer.label is None:
            code = 2
            complain(f"{image}: {answer.reason}")
            results.append({**result, "reason": answer.reason})
            continue
        turn = {"rotation": answer.rotation, "ambiguous": answer.ambiguous} if any_rotation else {}
        results.append({**result, "top": answer.top, **turn})
        if not as_json:
            shares = "   ".join(f"{label}  {100 * share:.1f} %" for label, share in answer.top)
            click.echo(f"{image}:  {shares}{_turn(answer)}")
    milliseconds = 1000 * (time.perf_counter() - start) / len(images)
    if as_json:
        print_json(results)
    if timing:
        answered = counted(len(images), "image")
        click.echo(f"{answered}, {milliseconds:.2f} ms an image from file to answer, model {model}", err=as_json)
    return code


@root.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=str), metavar="IMAGE…")
@partial(model_option, default=DEFAULT_READER)
@click.option("--alone", is_flag=True, help="Without the partner that reads lines with the model.")
@click.option("--expect", metavar="PATTERN", help="What each line says: a pattern like \\d{4}, or @FILE of values.")
@click.option("--separators", is_flag=True, help="Keep points, commas, dashes, colons; on where --expect names one.")
@click.option("--alternatives", default=0, type=click.IntRange(0), help="How many other texts to print for each line.")
@click.option("--min-confidence", type=click.FloatRange(0, 1), help="Leave a line of less sure characters out.")
@rotation_option
@click.option(
    "--annotate", type=click.Path(path_type=Path, dir_okay=False), help="Write the photo with boxes and labels."
)
@click.option("--explain", type=click.Path(path_type=Path, file_okay=False), help="Write a picture of every stage.")
@json_option
def read(
    images: tuple[str, ...],
    model: str,
    alone: bool,
    expect: str | None,
    separators: bool,
    alternatives: int,
    min_confidence: float | None,
    any_rotation: bool,
    annotate: Path | None,
    explain: Path | None,
    as_json: bool,
) -> int:
    """Read every character in each IMAGE, line by line.

    An image that cannot be read or shows no character gets one line on stderr; the others are answered all the same,
    and the exit code is 2.
    """
    from .explain import PICTURES, annotated, save_picture
    from .explain import explain as write_stages
    from .recognizer import Recognizer

    if len(images) > 1 and (annotate or explain):
        raise click.UsageError(f"--annotate and --explain take one image; got {len(images)}")
    if annotate and annotate.suffix.lower() not in PICTURES:
        raise click.UsageError(f"--annotate {annotate}: wanted a name that ends in {', '.join(PICTURES[1:])}")
    wanted = expected(expect)
    with muted_libraries():
        recognizer = Recognizer.load(model, alone=alone)
    results: list[dict[str, Any]] = []
    code = 0
    for image in images:
        try:
            with muted_libraries():
                trace = recognizer.trace(
                    image,
                    expect=wanted,
                    separators=separators,
                    alternatives=alternatives,
                    min_confidence=min_confidence,
                    any_rotation=any_rotation,
                )
        except GlyphliteError as error:
            code = max(code, error.exit_code)
            complain(str(error))
            results.append({"file": image, "error": str(error)})
            continue
        reading = trace.reading
        if explain:
            write_stages(trace, explain)
        if annotate:
            save_picture(annotate, annotated(trace))
        turn = {"rotation": reading.rotation, "ambiguous": reading.ambiguous} if any_rotation else {}
        lines = [_line_json(line, alternatives) for line in reading.lines]
        result = {"file": image, "text": reading.text, "lines": lines, **turn}
        if not lines:
            code = 2
            complain(f"{image}: {reading.reason}")
            result["reason"] = reading.reason
        elif not as_json:
            shown = " / ".join(_line_text(line, alternatives) for line in reading.lines)
            click.echo(f"{image}:  {shown}{_turn(reading)}")
        results.append(result)
    if as_json:
        print_json(results)
    return code


def expected(given: str | None) -> str | list[str] | None:
    """What --expect says: a pattern, or the values in @FILE."""
    return _values(Path(given[1:])) if given and given.startswith("@") else given


def _values(path: Path) -> list[str]:
    """The admissible values in a file, one a line."""
    try:
        return [line.strip() for line in path.read_text("utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise click.UsageError(
            f"--expect @{path}: cannot be read ({error}); wanted a text file, a value a line"
        ) from None


def _turn(answer: Any) -> str:
    """How an answer's image was turned, where it was."""
    turned = f"   (turned by {answer.rotation}°)" if answer.rotation else ""
    return turned + ("   (upside down it reads differently)" if answer.ambiguous else "")


def _line_text(line: Any, alternatives: int) -> str:
    if not alternatives:
        return str(line.text)
    texts = [(line.text, line.probability), *line.alternatives]
    return "   ".join(f"{text}  {100 * share:.1f} %" for text, share in texts)


def _line_json(line: Any, alternatives: int) -> dict[str, Any]:
    keys = ("label", "confidence", "box")
    characters = [{key: getattr(one, key) for key in keys} for one in line.characters]
    described = {"text": line.text, "probability": line.probability, "characters": characters}
    return {**described, "alternatives": line.alternatives} if alternatives else described
