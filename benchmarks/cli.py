"""`glyphlite bench …`."""

from __future__ import annotations

import importlib.util
from dataclasses import asdict
from pathlib import Path

import click

from ..runtime.cli import Scale, json_option, model_option, muted_libraries, print_json
from ..runtime.errors import GlyphliteError

ENGINES = ("litert", "tflite-runtime", "onnxruntime")


@click.group()
def bench() -> None:
    """Measure accuracy and latency on this machine."""


@bench.command("run")
@click.argument("models", nargs=-1, metavar="[MODEL]…")
@click.option("--data", required=True, metavar="PATH", help="Data set's name, folder or .npz; its test part judges.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the reports.")
@click.option("--quick", is_flag=True, help="Time for seconds, not minutes; the images judged are the same.")
@click.option("--budget-s", type=click.FloatRange(0, min_open=True), help="Seconds of timing.  [120; --quick: 10]")
@click.option("--threads", default=1, show_default=True, type=click.IntRange(1), help="Of each engine.")
@click.option("--engine", default=None, type=click.Choice(ENGINES), help="Measure only what this one runs.")
@click.option("--scale", type=Scale(), help="What a bare file's float input makes of 0 and 255.  [0,255]")
@json_option
def run(
    models: tuple[str, ...],
    data: str,
    out: Path,
    quick: bool,
    budget_s: float | None,
    threads: int,
    engine: str | None,
    scale: tuple[float, float] | None,
    as_json: bool,
) -> None:
    """Accuracy, latency and bytes of every artifact of MODEL…, on this machine.

    MODEL is a shipped name, a bundle's folder (all its artifacts), or a .tflite or .onnx file; without one all shipped
    models. Of a file without a card, output i is class i of the data set. Writes results.json, results.md,
    accuracy-latency.png and index.html to the folder --out.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise GlyphliteError("`glyphlite bench run` draws with matplotlib: pip install 'glyphlite[bench]'")
    from .report import text_table, to_json, write_reports
    from .run import Settings, run_benchmark

    try:
        out.mkdir(parents=True, exist_ok=True)  # a folder that cannot be made is told before the work
    except OSError as error:
        raise GlyphliteError(f"{out}: cannot be made ({error.strerror or error})") from None
    settings = Settings(models, data, quick, budget_s, threads, engine or "", scale)
    measured = run_benchmark(settings, say=lambda line: click.echo(line, err=True))
    written = write_reports(out, measured)
    if as_json:
        print_json(to_json(measured))
        return
    click.echo(text_table(measured))
    click.echo(f"\nwrote {', '.join(path.name for path in written)} to {out}")


@bench.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@model_option
@click.option("--read", "always_read", is_flag=True, help="Read every image, those of one character as well.")
@click.option("--every", default=1, show_default=True, type=click.IntRange(1), help="Judge each N-th row only.")
@click.option("--ablate", is_flag=True, help="Judge again with each step switched: what it is worth.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write every outcome, and the failures.")
@json_option
def photos(
    folder: Path, model: str, always_read: bool, every: int, ablate: bool, out: Path | None, as_json: bool
) -> None:
    """Photos read right, of a folder with labels.csv (columns file, text).

    A text of one character is asked of `predict`, a longer one of `read`.
    """
    from ..runtime import Recognizer
    from . import photos as judging

    with muted_libraries():
        recognizer = Recognizer.load(model)
    found = judging.load_photos(folder, every)
    outcomes = judging.judge_photos(recognizer, found, always_read)
    rows = {"as it is": judging.summarise(outcomes)}
    if ablate:
        rows = judging.ablate(recognizer, found, always_read, lambda line: click.echo(line, err=True))
    written = judging.write_photos_report(out, outcomes) if out else []
    if as_json:
        print_json({"model": model, "folder": str(folder), **{title: asdict(row) for title, row in rows.items()}})
        return
    for title, row in rows.items():
        share = f"{100 * row.right / row.total:.1f} % ({100 * row.low:.0f} to {100 * row.high:.0f})"
        figures = f"character errors {100 * row.character_error_rate:.2f} %, {row.milliseconds:.1f} ms an image"
        click.echo(f"{title:<20}{row.right:>6} of {row.total}   {share}   {figures}")
    if written:
        click.echo(f"wrote {', '.join(path.name for path in written)} to {out}")
