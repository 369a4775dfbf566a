"""Mixed precision: which layers keep 8 bits where the rest has 4, to a budget of bytes.

Each layer alone is stored in 4 bits, and how far the answers move is measured: its sensitivity (Dong et al. 2019 rank
layers likewise, by the Hessian).  Then 8 bits are given where they win the most for a byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.bundle import Card
from ..runtime.errors import BudgetError
from ..runtime.files import write_bytes
from ..train.batches import as_input
from .quantize import quantize
from .ranges import Ranges
from .sources import opened, probabilities
from .tflite import TFLiteFile

BUDGET = 0.6  # of the bytes with 8 bits everywhere, where none is given;
MARGIN = 0.2  # but as much of what 4 bits save is spent at least, in small files
SCHEMES = {  # of a mixed scheme: with 8 bits, and with 4
    "mixed_wi48_afp32": ("dynamic_wi8_afp32", "dynamic_wi4_afp32"),
    "mixed_wi48_ai8": ("static_wi8_ai8", "static_wi4_ai8"),
}
LEAST = 1e-7  # probability: below it a difference counts no more


@dataclass(frozen=True)
class Sensitivity:
    """A layer's, by the name of its output.  divergence: mean Kullback-Leibler divergence, nats, of the answers with
    this layer alone in 4 bits from the float model's.  saved: bytes that 4 bits save."""

    layer: str
    kind: str
    divergence: float
    saved: int


def sensitivities(
    content: bytes, scheme: str, ranges: Ranges | None, divergence: Callable[[bytes], float]
) -> list[Sensitivity]:
    """Of every layer that 4 bits change, in the order of execution.  divergence: of a file's answers."""
    high, low = SCHEMES[scheme]
    file = TFLiteFile(content)
    whole = len(quantize(content, high, ranges))
    found = []
    for operator in file.operators:
        if file.weights(operator) is None:
            continue
        name = file.tensors[operator.outputs[0]].name
        alone = quantize(content, high, ranges, {name: low})
        if len(alone) < whole:
            found.append(Sensitivity(name, operator.kind, divergence(alone), whole - len(alone)))
    return found


def assign(
    content: bytes,
    scheme: str,
    ranges: Ranges | None,
    divergence: Callable[[bytes], float],
    max_bytes: int | None,
    finish: Callable[[bytes], bytes] = lambda made: made,
) -> tuple[bytes, list[Sensitivity], tuple[str, ...]]:
    """The file within the budget, the scan, and the layers that have 8 bits.

    max_bytes: None: BUDGET and MARGIN tell.  finish: what becomes of a file before its bytes count.
    Raises BudgetError where 4 bits everywhere are too many.
    """
    high, low = SCHEMES[scheme]
    scan = sensitivities(content, scheme, ranges, divergence)
    whole = finish(quantize(content, high, ranges))
    kept: list[str] = []

    def made() -> bytes:
        return finish(quantize(content, high, ranges, {one.layer: low for one in scan if one.layer not in kept}))

    best = made()
    budget = max_bytes or round(max(BUDGET * len(whole), len(best) + MARGIN * (len(whole) - len(best))))
    if len(best) > budget:
        raise BudgetError(f"{scheme}: {len(best):,} bytes with 4 bits wherever it goes; wanted {budget:,}")
    for one in sorted(scan, key=lambda one: -one.divergence / one.saved):
        kept.append(one.layer)
        candidate = made()
        if len(candidate) <= budget:
            best = candidate
        else:
            kept.pop()
    return best, scan, tuple(kept)


def divergence_from(reference: np.ndarray, images: np.ndarray, card: Card, folder: Path) -> Callable[[bytes], float]:
    """The mean divergence, nats, of a file's answers from `reference`, (N, classes) probabilities as of `card`, on
    (N, H, W[, 3]) uint8 images.  folder: for the files."""
    pixels = as_input(images).astype(np.uint8)
    wanted = np.maximum(reference, LEAST)

    def divergence(content: bytes) -> float:
        path = folder / "candidate.tflite"
        write_bytes(path, content)
        got = probabilities(card, opened(path, card.value_range).run(pixels))
        got = np.maximum(got / got.sum(1, keepdims=True), LEAST)
        return float((wanted * np.log(wanted / got)).sum(1).mean())

    return divergence
