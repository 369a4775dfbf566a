"""A line becomes a strip: the input of a network that reads whole lines, of fixed height and any width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .geometry import STRIP_HEIGHT
from .glyph import resample, thickened, with_bright_ink
from .layout import Line

Pixels = NDArray[np.uint8]

CHARACTER_ROWS = 24  # of them are as high as the line's characters; the rest is for those that rise or drop
STRIP_MARGIN = 4  # columns of paper at each end
WIDTH_STEP = 32  # columns: a strip is padded to a multiple of it, so that networks see few widths
MAX_STRIP = 4096  # columns: a longer line is pressed together, and no longer read well


@dataclass(frozen=True)
class Strip:
    """A line as a network takes it.

    image: (STRIP_HEIGHT, w) uint8, bright on black.  scale: its columns a column of the line; shift: the column where
    the line begins.
    """

    image: Pixels
    scale: float
    shift: float

    def column(self, place: float) -> float:
        """The line's column at a place of the strip."""
        return (place - self.shift) / self.scale


def line_strip(line: Line) -> Strip:
    """The strip of a line: its characters scaled to one height, their ink's middle at the strip's."""
    scale = CHARACTER_ROWS / line.height
    soft = thickened(line.soft, line.stroke, 1 / scale)
    grown = (soft.shape[1] - line.soft.shape[1]) // 2
    across = min(scale, (MAX_STRIP - 2 * STRIP_MARGIN) / soft.shape[1])
    small = resample(soft, (max(1, round(soft.shape[1] * across)), max(1, round(soft.shape[0] * scale))))
    small = with_bright_ink(small)
    height, width = small.shape
    rows = small.sum(1, dtype=np.float64)
    middle = float(np.dot(rows, np.arange(height) + 0.5) / max(rows.sum(), 1.0))
    top = round(STRIP_HEIGHT / 2 - middle)
    image = np.zeros((STRIP_HEIGHT, width + 2 * STRIP_MARGIN), np.uint8)
    low, high = max(0, top), min(STRIP_HEIGHT, top + height)
    if high > low:
        image[low:high, STRIP_MARGIN : STRIP_MARGIN + width] = small[low - top : high - top]
    return Strip(image, across, STRIP_MARGIN + grown * across)


def padded_width(columns: int) -> int:
    """The width that a strip is padded to, with paper behind it."""
    return -(-columns // WIDTH_STEP) * WIDTH_STEP


def padded(strips: Sequence[Pixels]) -> Pixels:
    """(N, STRIP_HEIGHT, W, 1) uint8: strips with paper behind them, at the widest one's padded_width."""
    images = np.zeros((len(strips), STRIP_HEIGHT, padded_width(max(strip.shape[1] for strip in strips)), 1), np.uint8)
    for image, strip in zip(images, strips, strict=True):
        image[:, : strip.shape[1], 0] = strip
    return images


def stretched(strip: Pixels, width: float) -> Pixels:
    """A strip `width` times as wide."""
    return resample(strip, (max(1, round(strip.shape[1] * width)), strip.shape[0]))
