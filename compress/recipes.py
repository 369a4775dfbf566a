"""Recipes by name: steps on the float model, then how its numbers are stored.

A name reads from left to right: `prune50_static_wi8_ai8` prunes half of the weights, then stores weights and
activations as int8 (the last part follows Google's ai-edge-quantizer: `wi8` weights int8, `ai8` activations int8).
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from ..runtime.errors import RecipeError


@dataclass(frozen=True)
class Scheme:
    """How numbers are stored.

    formats: the artifact formats it can be written in.  lossless: a plain conversion, whose answers must be the float
    model's.  calibrated: it needs example images.
    """

    name: str
    text: str
    formats: tuple[str, ...]
    lossless: bool = False
    calibrated: bool = False


SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("float32", "as trained", ("tflite", "onnx"), lossless=True),
        Scheme("float16", "weights stored as float16, computed in float32", ("tflite",), lossless=True),
        Scheme("dynamic_wi8_afp32", "weights int8 per channel, activations quantized as they come", ("tflite",)),
        Scheme(
            "static_wi8_ai8", "integer only: weights int8 per channel, activations int8", ("tflite",), calibrated=True
        ),
    )
}


@dataclass(frozen=True)
class Recipe:
    """A parsed recipe.  sparsity: share of each layer's weights that pruning sets to zero; 0: no pruning."""

    name: str
    scheme: Scheme
    sparsity: float = 0.0


# what --list-recipes prints: every scheme, and the usual steps before the smallest
RECIPES = (*SCHEMES, *(f"prune{percent}_static_wi8_ai8" for percent in (50, 80, 90)))


def parse_recipe(name: str) -> Recipe:
    """A recipe by name.  Raises RecipeError naming the closest that exist."""
    match = re.fullmatch(r"(?:prune(?P<percent>\d{2})_)?(?P<scheme>\w+)", name)
    if match is None or match["scheme"] not in SCHEMES:
        close = difflib.get_close_matches(name, RECIPES, n=3, cutoff=0.3)
        raise RecipeError(f"recipe {name!r} does not exist; closest: {', '.join(close or RECIPES)}")
    percent = int(match["percent"] or 0)
    if match["percent"] and not 1 <= percent <= 99:
        raise RecipeError(f"recipe {name!r}: prunes {percent} %; wanted 01 to 99")
    return Recipe(name, SCHEMES[match["scheme"]], percent / 100)
