"""Scores of spans to the best readings: the cheapest ways through a lattice, by dynamic programming.

A span is read as a character at the price of its negative log-probability and of how unlikely it is as one (its width,
its height, the ink that its cut crosses, the paper inside it), or passed over: cheaply where it is as low as a
separator, else at a price that only a blot is worth.  With an expectation the search is for the cheapest way that
meets it: through lattice and expectation at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cuts import Lattice, Span
from .expect import Expectation

# prices in nats, found on the tuning part of real cheques
CUT = 0.25  # of a cut, and again for each stroke width of ink that it crosses
LOW = 4.0  # for each share of the line's height that a character falls short of LOW_BELOW
LOW_BELOW = 0.6
WIDE = 6.0  # times the square of how much wider than WIDE_ABOVE it is
WIDE_ABOVE = 0.95  # of the line's height
GAP = 6.0  # for each line height of paper inside a character
SEPARATOR = 0.2  # of passing over something lower than SEPARATOR_BELOW
SEPARATOR_BELOW = 0.45  # of the line's height
BLOT = 14.0  # of passing over anything else, and again for each line height of its longer side
OTHER = 0.5  # times the negative log-probability that what is passed over is no character
LEAST = -14.0  # log-probability: a less probable label is not tried, even where it is expected


@dataclass(frozen=True)
class Way:
    """A way through a lattice.

    cost: its price, nats.  text: what it reads.  steps: (span, label) of what it reads, from the left; the label of a
    separator that is kept is its sign.
    """

    cost: float
    text: str
    steps: tuple[tuple[int, str], ...]


def best_ways(
    lattice: Lattice,
    labels: Sequence[str],
    log_probabilities: NDArray[Any],
    log_other: NDArray[Any],
    *,
    slashes: NDArray[Any] | None = None,
    signs: Sequence[str] = (),
    expected: Expectation | None = None,
    count: int = 1,
) -> list[Way]:
    """The `count` cheapest ways that read different texts, cheapest first; none where nothing expected can be read.

    log_probabilities: (spans, classes), calibrated; labels: of the classes.  log_other: (spans,), of its being no
    character.  slashes: (spans,) probability that it is a slash, and passed over as cheaply as what is low.
    signs: of each span, what it is written as where it is passed over; without them, nothing.
    """
    tried = len(labels) if expected else min(len(labels), 1 if count == 1 else 3)
    order = np.argsort(-log_probabilities, axis=1, kind="stable")[:, :tried] if len(lattice.spans) else np.zeros((0, 0))
    # at each place between primitives, by what is expected from there: the cheapest ways so far
    reached: list[dict[Expectation | None, list[Way]]] = [{} for _ in range(len(lattice.primitives) + 1)]
    reached[0][expected] = [Way(0.0, "", ())]
    for index in sorted(range(len(lattice.spans)), key=lambda i: (lattice.spans[i].end, lattice.spans[i].start)):
        span = lattice.spans[index]
        price, row = _price(lattice, span), log_probabilities[index]
        passing = _passing(lattice, span, log_other[index])
        if slashes is not None and slashes[index]:
            passing = min(passing, SEPARATOR - float(np.log(slashes[index])))
            price -= float(np.log1p(-slashes[index]))
        likely = [column for rank, column in enumerate(order[index]) if rank == 0 or row[column] >= LEAST]
        choices = [(labels[column], price - float(row[column])) for column in likely]
        choices.append((signs[index] if signs else "", passing))
        for state, ways in reached[span.start].items():
            for label, cost in choices:
                after = state if state is None or not label else state.after(label)
                if after is None and state is not None:
                    continue
                there = reached[span.end].setdefault(after, [])
                for way in ways:
                    if len(there) == count and way.cost + cost >= there[-1].cost:
                        break  # nor will the dearer ones after it be kept
                    steps = (*way.steps, (index, label)) if label else way.steps
                    _keep(there, Way(way.cost + cost, way.text + label, steps), count)
    ends: list[Way] = []
    for state, ways in reached[-1].items():
        if state is None or state.is_met():
            for way in ways:
                _keep(ends, way, count)
    return ends


def _keep(ways: list[Way], way: Way, count: int) -> None:
    """Put a way among the cheapest `count` of different texts, in order."""
    for place, other in enumerate(ways):
        if other.text == way.text:
            if way.cost < other.cost:
                del ways[place]
                break
            return
    if len(ways) < count or way.cost < ways[-1].cost:
        at = next((place for place, other in enumerate(ways) if way.cost < other.cost), len(ways))
        ways.insert(at, way)
        del ways[count:]


def _price(lattice: Lattice, span: Span) -> float:
    _, _, width, height = span.box
    ink = lattice.primitives[span.start].ink
    cut = CUT * (1 + ink) if ink > 0 else 0.0
    low = LOW * max(0.0, LOW_BELOW - height / lattice.height)
    wide = WIDE * max(0.0, width / lattice.height - WIDE_ABOVE) ** 2
    return cut + low + wide + GAP * span.gap / lattice.height


def _passing(lattice: Lattice, span: Span, log_other: float) -> float:
    _, _, width, height = span.box
    other = OTHER * -float(log_other)
    if height < SEPARATOR_BELOW * lattice.height:
        return other + SEPARATOR
    return other + BLOT * (1 + max(width, height) / lattice.height)
