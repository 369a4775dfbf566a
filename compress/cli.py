"""`glyphlite compress`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..runtime.cli import json_option, print_json, scale_option
from ..runtime.engine import check_tflite
from ..runtime.errors import BudgetError, ConversionError, RecipeError, counted
from ..runtime.geometry import GEOMETRIES
from ..runtime.scale import WHOLE, scale_text
from . import onnx_quantize, ranges
from .recipes import RECIPES, SCHEMES, parse_recipe

FORMATS = ("tflite", "onnx")
METHODS = tuple(dict.fromkeys((*ranges.METHODS, *onnx_quantize.METHODS)))
ALL = "all"
MAKE = ""  # the name of the command that needs none
REPORT_IMAGES = 100


def _list_recipes(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for name in RECIPES:
            recipe = parse_recipe(name)
            click.echo(f"{name:<40}{recipe.text} ({', '.join(recipe.scheme.formats)})")
        context.exit()


class _WithDefault(click.Group):
    """`compress MODEL` compresses; a subcommand's name in its place does something else."""

    def parse_args(self, context: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [MAKE, *args]
        return super().parse_args(context, args)


geometry_option = click.option(
    "--geometry", type=click.Choice(GEOMETRIES), help="Of a bare model: how an image becomes its input; glyphs: mnist."
)


@click.group(cls=_WithDefault)
def compress() -> None:
    """Turn a model into small artifacts."""


@compress.command(MAKE, epilog="Also: `glyphlite compress report` and `glyphlite compress search`, each with --help.")
@click.argument("model")
@click.option(
    "--recipe",
    "names",
    default="float32,static_wi8_ai8",
    show_default=True,
    metavar="A[,B…]",
    help="Recipes, or .toml files of recipes; all: every way to store the numbers.",
)
@click.option("--format", "formats", default="tflite", show_default=True, help="tflite, onnx or both.")
@click.option("--data", metavar="PATH", help="Data set; default: the one that the model was trained on.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The bundle's folder.")
@scale_option
@geometry_option
@click.option("--epochs", default=8, show_default=True, type=click.IntRange(1), help="Of each step that trains.")
@click.option("--calibration", default="minmax", show_default=True, type=click.Choice(METHODS),
              help="How activations' ranges are set.")  # fmt: skip
@click.option("--max-bytes", type=click.IntRange(1), help="Of a mixed scheme's file; default 0.6 of 8 bits'.")
@click.option("--default", metavar="FILE", help="The artifact that the bundle runs unasked.")
@click.option("--partner", metavar="NAME", help="Of a line reader: the bundle of characters that reads lines with it.")
@click.option("--list-recipes", is_flag=True, is_eager=True, expose_value=False, callback=_list_recipes,
              help="Print the recipes and what each does.")  # fmt: skip
@json_option
def make(
    model: str,
    names: str,
    formats: str,
    data: str | None,
    out: Path,
    scale: tuple[float, ...] | None,
    geometry: str | None,
    epochs: int,
    calibration: str,
    max_bytes: int | None,
    default: str | None,
    partner: str | None,
    as_json: bool,
) -> None:
    """Turn MODEL into a bundle of small artifacts.

    MODEL is a training run, a bundle that kept its model.keras, a .keras, .h5 or SavedModel of Keras 2 or 3, or a
    float .tflite or .onnx whose training is lost.  Each artifact is compared with the float model on 1,000 images and
    judged on the test set; the card says how it did.
    """
    recipes = [parse_recipe(name) for name in SCHEMES] if names == ALL else [*map(parse_recipe, split_names(names))]
    wanted = split_names(formats)
    unknown = [form for form in wanted if form not in FORMATS]
    if unknown:
        raise RecipeError(f"format {unknown[0]!r}; wanted {' or '.join(FORMATS)}")
    from .examples import load_examples
    from .mixed import SCHEMES as MIXED
    from .pack import Options
    from .pack import compress as make_bundle
    from .sources import load_source

    if max_bytes and not any(recipe.scheme.name in MIXED for recipe in recipes):
        others = f"{' or '.join(MIXED)}, or `glyphlite compress search`, where it is of any file"
        raise click.UsageError(f"--max-bytes {max_bytes}: {names} has no mixed scheme; wanted {others}")
    source = load_source(model)
    skip = names == ALL
    options = Options(scale, geometry or "", epochs, calibration, max_bytes, default, partner, skip)

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    if source.reads_lines:
        from .lines import compress_lines, lines_of

        card = compress_lines(source, recipes, wanted, lines_of(source, data), out, options, say)
    elif partner:
        raise click.UsageError(f"--partner: only a line reader has one; {model} takes single images")
    else:
        card = make_bundle(source, recipes, wanted, load_examples(source, data, options.geometry), out, options, say)
    if as_json:
        print_json(asdict(card))
    else:
        click.echo(f"{out}: {counted(len(card.artifacts), 'artifact')}, default {card.default}")


def split_names(text: str) -> list[str]:
    """Names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


@compress.command()
@click.argument("floats", metavar="FLOAT", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.argument("quantized", metavar="QUANTIZED", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--data", required=True, metavar="PATH", help="Data set; every so many images are run.")
@click.option("--images", default=REPORT_IMAGES, show_default=True, type=click.IntRange(1), help="How many.")
@scale_option
@click.option("--plot", "picture", type=click.Path(path_type=Path, dir_okay=False), help="Write a bar chart, PNG.")
@json_option
def report(
    floats: Path,
    quantized: Path,
    data: str,
    images: int,
    scale: tuple[float, ...] | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Which layer lost the accuracy: each tensor of QUANTIZED beside that of FLOAT, two .tflite files.

    SQNR: signal by quantization noise.  Saturated: values that the integers cannot reach.
    """
    from ..train.datasets import load_dataset
    from . import tensors
    from .sources import load_source, scaled

    source = load_source(str(floats))
    card = source.card
    if card and scale and (reason := card.against_scale(scale)):
        raise click.UsageError(f"--scale {scale_text(scale)}: {floats} {reason}")
    dataset = load_dataset(data, "train", source.input_shape, card.geometry if card else "")
    given = scaled(dataset.spread(images).images, card.value_range if card else scale or WHOLE)
    try:
        errors = tensors.tensor_errors(floats.read_bytes(), check_tflite(quantized), given)
    except ConversionError as failure:
        raise ConversionError(f"{floats}, {quantized}: {failure}") from None
    if picture:
        tensors.plot(errors, picture)
    if as_json:
        print_json([asdict(error) for error in errors])
        return
    head = f"{'tensor':<66}{'SQNR':>8}{'cosine':>9}{'float range':>22}{'integers hold':>22}{'saturated':>11}"
    click.echo(head)
    for error in errors:
        holds = "" if error.holds_low is None else f"{error.holds_low:.4g} … {error.holds_high:.4g}"
        beyond = "" if error.saturated is None else f"{100 * error.saturated:.2f} %"
        span = f"{error.low:.4g} … {error.high:.4g}"
        named = f"{tensors.short(error.name):<46}{error.kind:<11}{error.dtype:<9}"
        click.echo(
            f"{named}{error.sqnr_db:>5.1f} dB{error.cosine:>9.5f}{span:>22}{holds:>22}{beyond:>11}"
            + ("  LOW" if error.sqnr_db < tensors.QUIET_DB else "")
        )


@compress.command()
@click.argument("model")
@click.option("--data", metavar="PATH", help="Data set; default: the one that the model was trained on.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the search.")
@click.option("--max-bytes", type=click.IntRange(1), help="Of an artifact.")
@click.option("--max-ms", type=click.FloatRange(0, min_open=True), help="Of a bare call here, one thread, median.")
@click.option("--min-accuracy", type=click.FloatRange(0, 1), help="On the hold-out, 0 to 1.")
@click.option("--trials", default=30, show_default=True, type=click.IntRange(1), help="Artifacts to make, in all.")
@click.option("--epochs", default=8, show_default=True, type=click.IntRange(1), help="Of each step that trains.")
@scale_option
@geometry_option
@click.option("--seed", default=0, show_default=True, help="Of the proposals.")
@json_option
def search(
    model: str,
    data: str | None,
    out: Path,
    max_bytes: int | None,
    max_ms: float | None,
    min_accuracy: float | None,
    trials: int,
    epochs: int,
    scale: tuple[float, ...] | None,
    geometry: str | None,
    seed: int,
    as_json: bool,
) -> int:
    """Search recipes and widths of MODEL for small, fast and right artifacts, with Optuna.

    Ends with the Pareto front as a table, a plot and a bundle.  The same command goes on with a search that was cut
    off.  Exit code 3 where nothing found keeps to the limits; the nearest front is shown all the same.
    """
    from .examples import load_examples
    from .pack import Options
    from .search import Limits
    from .search import search as run
    from .sources import load_source

    source, limits = load_source(model), Limits(max_bytes, max_ms, min_accuracy)
    options = Options(scale=scale, geometry=geometry or "", epochs=epochs)
    found = run(
        source,
        load_examples(source, data, options.geometry),
        out,
        limits,
        trials,
        options,
        seed,
        say=lambda line: click.echo(line, err=as_json),
    )
    if as_json:
        print_json({"met": found.met, "front": [asdict(trial) for trial in found.front], "card": asdict(found.card)})
    else:
        click.echo(f"\n{'recipe':<56}{'bytes':>9}{'hold-out':>10}{'judged':>16}{'µs':>8}")
        for trial, artifact in zip(found.front, found.card.artifacts, strict=True):
            mark = "" if limits.are_met(trial) else "  not within the limits"
            judged = f"{artifact.errors} of {artifact.test_images:,}"
            measured = f"{trial.bytes:>9,}{100 * trial.accuracy:>8.2f} %{judged:>16}{1000 * trial.ms:>8.1f}"
            click.echo(f"{artifact.file:<56}{measured}{mark}")
        click.echo(f"{out}: search.db, trials.csv, front.png, bundle")
    if not found.met:
        raise BudgetError(f"nothing found keeps to {limits}; the nearest is shown")
    return 0
