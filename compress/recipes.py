"""Recipes by name: steps on the float model, then how its numbers are stored.

A name reads from left to right: `prune50_static_wi8_ai8` prunes half of the weights, then stores weights and
activations as int8 (the last part follows Google's ai-edge-quantizer: `wi8` weights int8, `ai8` activations int8).
A recipe may also be a TOML file: `steps = ["channels50", "distill"]`, `scheme = "static_wi8_ai8"`.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..runtime.errors import RecipeError

STRIPPED = "names and metadata left out, equal parts written once"


@dataclass(frozen=True)
class Scheme:
    """How numbers are stored.

    formats: the artifact formats it can be written in.  lossless: a plain conversion, whose answers must be the float
    model's.  calibrated: it needs example images.
    """

    name: str
    text: str
    formats: tuple[str, ...] = ("tflite",)
    lossless: bool = False
    calibrated: bool = False


BOTH = ("tflite", "onnx")
SCHEMES = {
    scheme.name: scheme
    for scheme in (
        Scheme("float32", "as trained", BOTH, lossless=True),
        Scheme("float16", "weights stored as float16, in TFLite computed in float32", BOTH, lossless=True),
        Scheme("dynamic_wi8_afp32", "weights int8 per channel, activations quantized as they come", BOTH),
        Scheme("dynamic_wi4_afp32", "the same with weights of 4 bits"),
        Scheme("dynamic_wi2_afp32", "the same with weights of 2 bits"),
        Scheme("dynamic_wi4b32_afp32", "weights of 4 bits in blocks of 32, of dense layers"),
        Scheme("dynamic_wi4b64_afp32", "weights of 4 bits in blocks of 64, of dense layers"),
        Scheme("dynamic_wi2b32_afp32", "weights of 2 bits in blocks of 32, of dense layers"),
        Scheme("dynamic_wi8_hr_afp32", "weights int8, of dense layers turned by a Hadamard matrix first"),
        Scheme("dynamic_wi4_hr_afp32", "the same with weights of 4 bits"),
        Scheme("dynamic_wi2_hr_afp32", "the same with weights of 2 bits"),
        Scheme("weight_only_wi8_afp32", "weights int8 per channel, computed in float32"),
        Scheme("weight_only_wi4_afp32", "weights of 4 bits per channel, computed in float32"),
        Scheme("static_wi8_ai8", "weights int8 per channel, activations int8", BOTH, calibrated=True),
        Scheme("static_wi8_ai16", "weights int8, activations int16; slow: no fast kernels", calibrated=True),
        Scheme("static_wi4_ai8", "weights of 4 bits, activations int8", calibrated=True),
        Scheme("static_wi8_ai8_qoperator", "as static_wi8_ai8, in quantized operators", ("onnx",), calibrated=True),
        Scheme("mixed_wi48_afp32", "weights of 4 or 8 bits, layer by layer, to a budget of bytes", calibrated=True),
        Scheme("mixed_wi48_ai8", "the same with activations int8", calibrated=True),
    )
}


@dataclass(frozen=True)
class Kind:
    """A kind of step.  amounts: what its number may be, lowest and highest; None: it has none.  usual: where a name
    leaves the number out.  rank: a step never comes after one of a higher rank, whose work it would undo.  ways: words
    that may follow the number, and what each changes."""

    text: str
    amounts: tuple[int, int] | None
    usual: int | None
    rank: int
    ways: Mapping[str, str] = field(default_factory=dict)


KINDS = {
    "channels": Kind(
        "whole channels removed until {}% of the multiplications are gone",
        (1, 99),
        None,
        0,
        {"l1": "those of the smallest weights first", "bn": "those that batch normalization makes smallest first"},
    ),
    "lowrank": Kind("dense and 1×1 layers factorised, {}% of their energy kept", (1, 99), 95, 0),
    "distill": Kind("trained on the source's answers", None, None, 1),
    "prune": Kind("{}% of each layer's weights set to zero", (1, 99), None, 2),
    "sparse2of4": Kind("two of every four weights in a row set to zero", None, None, 2),
    "cluster": Kind("each layer's weights shared among {} values", (2, 256), None, 3),
    "qat": Kind("trained with the roundings of int8", None, None, 4),
}
QAT_SCHEME = "static_wi8_ai8"


@dataclass(frozen=True)
class Step:
    """One step on the float model.  amount: its number.  way: a key of its kind's ways; '' is the usual one."""

    kind: str
    amount: int | None = None
    way: str = ""

    @property
    def name(self) -> str:
        """As it stands in a recipe's name."""
        return self.kind if self.amount is None else f"{self.kind}{self.amount:02d}{self.way}"

    @property
    def share(self) -> float:
        """Its number as a share, of one that is a percentage."""
        return (self.amount or 0) / 100

    @property
    def text(self) -> str:
        """What it does, in words."""
        kind = KINDS[self.kind]
        return ", ".join([kind.text.format(self.amount), *([kind.ways[self.way]] if self.way else [])])


@dataclass(frozen=True)
class Recipe:
    """Steps in their order, then a scheme.  stripped: as strip.py does it to the file."""

    steps: tuple[Step, ...]
    scheme: Scheme
    stripped: bool = False

    @property
    def name(self) -> str:
        """As it is written."""
        return "_".join([*(step.name for step in self.steps), self.scheme.name, *(["stripped"] * self.stripped)])

    @property
    def text(self) -> str:
        """What it does, in words."""
        ends = [STRIPPED] * self.stripped
        return "; ".join([*(step.text for step in self.steps), self.scheme.text, *ends])

    def step(self, kind: str) -> Step | None:
        """Its step of a kind, if it has one."""
        return next((step for step in self.steps if step.kind == kind), None)


# what --list-recipes prints: every scheme, and the usual steps before the smallest
RECIPES = (
    *SCHEMES,
    *(f"prune{percent}_static_wi8_ai8" for percent in (50, 80, 90)),
    "sparse2of4_static_wi8_ai8",
    *(f"cluster{count}_static_wi8_ai8" for count in (16, 32, 64)),
    "qat_static_wi8_ai8",
    "prune50_qat_static_wi8_ai8",
    "cluster16_qat_static_wi8_ai8",
    "prune50_cluster16_qat_static_wi8_ai8",
    "channels50_distill_static_wi8_ai8",
    "channels75_distill_static_wi8_ai8",
    "channels50l1_distill_static_wi8_ai8",
    "channels50bn_distill_static_wi8_ai8",
    "channels50_distill_qat_static_wi8_ai8",
    "lowrank95_distill_static_wi8_ai8",
    "static_wi8_ai8_stripped",
)
_WAYS = sorted({way for kind in KINDS.values() for way in kind.ways})
_STEP = re.compile(rf"({'|'.join(KINDS)})(\d+)?({'|'.join(_WAYS)})?")


def parse_recipe(name: str) -> Recipe:
    """A recipe by name, or of a `.toml` file.  Raises RecipeError naming the closest that exist."""
    if name.endswith(".toml"):
        return _read_recipe(Path(name))
    rest, stripped = name.removesuffix("_stripped"), name.endswith("_stripped")
    scheme = max((known for known in SCHEMES if rest == known or rest.endswith("_" + known)), key=len, default=None)
    if scheme is None:
        raise RecipeError(f"recipe {name!r} does not exist; {_nearest(name, RECIPES)}")
    steps = rest[: -len(scheme)].strip("_")
    return _recipe(name, steps.split("_") if steps else [], scheme, stripped)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=3, cutoff=0.3)
    if close:
        return f"closest: {', '.join(close)}"
    return "`glyphlite compress --list-recipes` prints those that do; int8 is static_wi8_ai8"


def _read_recipe(path: Path) -> Recipe:
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path}: no recipe ({error})") from None
    unknown = sorted(set(content) - {"steps", "scheme", "stripped"})
    if unknown:
        raise RecipeError(f"{path}: unknown key {unknown[0]!r}; wanted steps, scheme and stripped")
    steps, scheme, stripped = content.get("steps", []), content.get("scheme"), content.get("stripped", False)
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise RecipeError(f"{path}: steps {steps!r}; wanted a list of names like 'prune50'")
    if scheme not in SCHEMES:
        raise RecipeError(f"{path}: scheme {scheme!r} does not exist; {_nearest(str(scheme), SCHEMES)}")
    if not isinstance(stripped, bool):
        raise RecipeError(f"{path}: stripped {stripped!r}; wanted true or false")
    return _recipe(str(path), steps, scheme, stripped)


def _recipe(name: str, words: list[str], scheme: str, stripped: bool) -> Recipe:
    recipe = Recipe(tuple(_step(name, word) for word in words), SCHEMES[scheme], stripped)
    ranks = [KINDS[step.kind].rank for step in recipe.steps]
    for before, after, one in zip(ranks, ranks[1:], recipe.steps[1:], strict=False):
        if after < before:
            raise RecipeError(f"recipe {name!r}: {one.name} would undo the step before it; wanted it earlier")
    if len({step.kind for step in recipe.steps}) < len(recipe.steps):
        raise RecipeError(f"recipe {name!r}: a step twice")
    if recipe.steps and recipe.steps[-1].kind == "qat" and scheme != QAT_SCHEME:
        raise RecipeError(f"recipe {name!r}: qat trains for {QAT_SCHEME}; wanted that scheme")
    return recipe


def _step(name: str, word: str) -> Step:
    match = _STEP.fullmatch(word)
    if match is None:
        close = difflib.get_close_matches(word, KINDS, n=1, cutoff=0.3)
        hint = f"; closest: {close[0]}" if close else f"; wanted one of {', '.join(KINDS)}"
        raise RecipeError(f"recipe {name!r}: step {word!r} does not exist{hint}")
    kind, way = KINDS[match[1]], match[3] or ""
    if way and way not in kind.ways:
        raise RecipeError(f"recipe {name!r}: {match[1]} takes no {way!r}")
    if kind.amounts is None:
        if match[2]:
            raise RecipeError(f"recipe {name!r}: {match[1]} takes no number")
        return Step(match[1])
    amount = int(match[2]) if match[2] else kind.usual
    if amount is None or not kind.amounts[0] <= amount <= kind.amounts[1]:
        raise RecipeError(f"recipe {name!r}: {word}; wanted a number of {kind.amounts[0]:02d} to {kind.amounts[1]}")
    return Step(match[1], amount, way)
