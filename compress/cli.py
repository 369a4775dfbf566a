"""`glyphlite compress`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..runtime.cli import Scale, json_option, print_json
from ..runtime.errors import RecipeError
from .recipes import RECIPES, SCHEMES, parse_recipe

FORMATS = ("tflite", "onnx")


METHODS = ("minmax", "moving_average", "percentile", "mse", "entropy")
ALL = "all"


def _list_recipes(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for name in RECIPES:
            recipe = parse_recipe(name)
            click.echo(f"{name:<40}{recipe.text} ({', '.join(recipe.scheme.formats)})")
        context.exit()


@click.command()
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
@click.option("--scale", type=Scale(), help="What a bare model's 0 and 255 become; default 0,255.")
@click.option("--epochs", default=8, show_default=True, type=click.IntRange(1), help="Of each step that trains.")
@click.option("--calibration", default="minmax", show_default=True, type=click.Choice(METHODS),
              help="How activations' ranges are set.")  # fmt: skip
@click.option("--max-bytes", type=click.IntRange(1), help="Of a mixed scheme's file; default 0.6 of 8 bits'.")
@click.option("--default", metavar="FILE", help="The artifact that the bundle runs unasked.")
@click.option("--list-recipes", is_flag=True, is_eager=True, expose_value=False, callback=_list_recipes,
              help="Print the recipes and what each does.")  # fmt: skip
@json_option
def compress(
    model: str,
    names: str,
    formats: str,
    data: str | None,
    out: Path,
    scale: tuple[float, float] | None,
    epochs: int,
    calibration: str,
    max_bytes: int | None,
    default: str | None,
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
    from .pack import Options
    from .pack import compress as make_bundle
    from .sources import load_source

    source = load_source(model)
    card = make_bundle(
        source,
        recipes,
        wanted,
        load_examples(source, data),
        out,
        Options(scale, epochs, calibration, max_bytes, default, skip=names == ALL),
        say=lambda line: click.echo(line, err=as_json),
    )
    if as_json:
        print_json(asdict(card))
    else:
        click.echo(f"{out}: {len(card.artifacts)} artifacts, default {card.default}")


def split_names(text: str) -> list[str]:
    """Names between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
