"""What reads one line of writing: the lattice of a character network, or a network that reads along a strip."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .answers import Box, LineTrace, Prediction, TextLine
from .image import Pixels
from .layout import Line

if TYPE_CHECKING:
    from .expect import Expectation

Place = Callable[[Box], Box]  # a box in the ink's image to one in the upright file


class LineReader(Protocol):
    """Reads lines, in two steps, so that what was found can be looked at."""

    def trace(self, line: Line, expected: Expectation | None, separators: bool, alternatives: int) -> LineTrace:
        """What a line says, the best ways first."""

    def text_line(self, trace: Any, top: int, wanted: float, place: Place) -> TextLine | None:
        """What was read of a traced line; None where its characters are less sure than `wanted`, in their geometric
        mean.  top: how many labels each character gets."""


def answer(labels: Sequence[str], probabilities: NDArray[Any], glyph: Pixels | None, box: Box, top: int) -> Prediction:
    """The prediction of one row of probabilities (labels,)."""
    order = np.argsort(-probabilities, kind="stable")[: max(1, top)]
    best = tuple((labels[index], float(probabilities[index])) for index in order)
    return Prediction(best[0][0], best[0][1], best, box, glyph)
