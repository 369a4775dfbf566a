"""Scores of spans to the best reading: the cheapest way through a lattice, by dynamic programming.

A span is read as a character at the price of its negative log-probability and of how unlikely it is as one (its width,
its height, the ink that its cut crosses, the paper inside it), or passed over: cheaply where it is as low as a
separator, else at a price that only a blot is worth.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cuts import Lattice, Span

# prices in nats, found on the tuning part of real cheques
CUT = 0.5  # of a cut, and again for each stroke width of ink that it crosses
LOW = 4.0  # for each share of the line's height that a character falls short of LOW_BELOW
LOW_BELOW = 0.6
WIDE = 6.0  # times the square of how much wider than WIDE_ABOVE it is
WIDE_ABOVE = 0.95  # of the line's height
GAP = 3.0  # for each line height of paper inside a character
SEPARATOR = 0.35  # of passing over something lower than SEPARATOR_BELOW
SEPARATOR_BELOW = 0.45  # of the line's height
BLOT = 14.0  # of passing over anything else, and again for each line height of its longer side


def best_path(lattice: Lattice, log_probabilities: NDArray[Any]) -> list[int]:
    """Indices of the spans read as characters, from the left.

    log_probabilities: (spans, classes), calibrated.
    """
    count = len(lattice.primitives)
    read_cost = -log_probabilities.max(1) if len(lattice.spans) else np.zeros(0)
    best = [0.0] + [np.inf] * count
    came: list[tuple[int, int | None]] = [(0, None)] * (count + 1)  # the primitive before, and the span read, if any
    for index in sorted(range(len(lattice.spans)), key=lambda i: (lattice.spans[i].end, lattice.spans[i].start)):
        span = lattice.spans[index]
        reading = best[span.start] + float(read_cost[index]) + _price(lattice, span)
        passing = best[span.start] + _price_of_passing(lattice, span)
        for cost, read in ((reading, index), (passing, None)):
            if cost < best[span.end]:
                best[span.end], came[span.end] = cost, (span.start, read)
    path = []
    at = count
    while at > 0:
        at, read = came[at]
        if read is not None:
            path.append(read)
    return path[::-1]


def _price(lattice: Lattice, span: Span) -> float:
    _, _, width, height = span.box
    ink = lattice.primitives[span.start].ink
    cut = CUT * (1 + ink) if ink > 0 else 0.0
    low = LOW * max(0.0, LOW_BELOW - height / lattice.height)
    wide = WIDE * max(0.0, width / lattice.height - WIDE_ABOVE) ** 2
    return cut + low + wide + GAP * span.gap / lattice.height


def _price_of_passing(lattice: Lattice, span: Span) -> float:
    _, _, width, height = span.box
    if height < SEPARATOR_BELOW * lattice.height:
        return SEPARATOR
    return BLOT * (1 + max(width, height) / lattice.height)
