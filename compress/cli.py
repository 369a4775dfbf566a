"""`glyphlite compress`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ..runtime.cli import Scale, json_option, print_json
from ..runtime.errors import RecipeError
from .recipes import RECIPES, parse_recipe

FORMATS = ("tflite", "onnx")


def _list_recipes(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        for name in RECIPES:
            recipe = parse_recipe(name)
            steps = f"{recipe.sparsity:.0%} of the weights pruned, then " if recipe.sparsity else ""
            text = steps + recipe.scheme.text
            click.echo(f"{name:<28}{text} ({', '.join(recipe.scheme.formats)})")
        context.exit()


@click.command()
@click.argument("model")
@click.option(
    "--recipe", "names", default="float32,static_wi8_ai8", show_default=True, metavar="A[,B…]", help="Recipes."
)
@click.option("--format", "formats", default="tflite", show_default=True, help="tflite, onnx or both.")
@click.option("--data", metavar="PATH", help="Data set; default: the one that the model was trained on.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The bundle's folder.")
@click.option("--scale", type=Scale(), default="0,255", show_default=True, help="What a bare model's 0 and 255 become.")
@click.option("--epochs", default=8, show_default=True, type=click.IntRange(1), help="Of fine-tuning while pruning.")
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
    scale: tuple[float, float],
    epochs: int,
    default: str | None,
    as_json: bool,
) -> None:
    """Turn MODEL into a bundle of small artifacts.

    MODEL is a training run, a bundle that kept its model.keras, or a .keras file.  Each artifact is compared with the
    float model on 1,000 images and judged on the test set; the card says how it did.
    """
    recipes = [parse_recipe(name.strip()) for name in names.split(",")]
    wanted = [form.strip() for form in formats.split(",")]
    unknown = [form for form in wanted if form not in FORMATS]
    if unknown:
        raise RecipeError(f"format {unknown[0]!r}; wanted {' or '.join(FORMATS)}")
    from . import pack

    source = pack.load_source(model)
    examples = pack.load_examples(source, data)
    card = pack.compress(
        source,
        recipes,
        wanted,
        examples,
        out,
        value_range=scale,
        epochs=epochs,
        default=default,
        say=lambda line: click.echo(line, err=as_json),
    )
    if as_json:
        print_json(asdict(card))
    else:
        click.echo(f"{out}: {len(card.artifacts)} artifacts, default {card.default}")
