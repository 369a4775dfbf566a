"""Quarter turns of ink, and of boxes back to the image as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .ink import Ink

Box = tuple[int, int, int, int]

QUARTER_TURNS = (0, 90, 180, 270)  # degrees clockwise


def turned(ink: Ink, degrees: int) -> Ink:
    """Ink turned clockwise by quarter turns."""
    if not degrees:
        return ink
    turns = -degrees // 90
    return replace(
        ink,
        soft=np.ascontiguousarray(np.rot90(ink.soft, turns)),
        mask=np.ascontiguousarray(np.rot90(ink.mask, turns)),
    )


def turned_back(box: Box, degrees: int, width: int, height: int) -> Box:
    """A box of an image that was turned clockwise, in the image as it was; width, height: of that."""
    x, y, across, down = box
    if degrees == 90:
        return y, height - x - across, down, across
    if degrees == 180:
        return width - x - across, height - y - down, across, down
    if degrees == 270:
        return width - y - down, x, down, across
    return box
