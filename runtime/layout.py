"""Ink to characters: which connected pieces belong together, and which are no writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .ink import Ink, stroke_width

Pixels = NDArray[np.uint8]
Box = NDArray[Any]  # (x, y, width, height), integers

MIN_PIECE = 0.5  # squared stroke widths: a smaller piece is a speck
MIN_HEIGHT = 8  # pixels: a smaller character cannot be told from dirt
JOIN_STROKES = 2.5  # stroke widths: a loose bar this near belongs to the character
JOIN_SHARE = 0.12  # of the character's longer side: as well
FRAME_SPAN = 0.85  # of the image's width or height: a piece on the image's edge that spans this is a frame


@dataclass(frozen=True)
class Character:
    """One character's ink.

    soft: (h, w) uint8, cropped to it, bright on black.  box: x, y, width, height in pixels of the original image.
    stroke: its pen's width in pixels of `soft`.
    """

    soft: Pixels
    box: tuple[int, int, int, int]
    stroke: float


def main_character(ink: Ink) -> Character | None:
    """The largest writing in the image with the loose strokes beside it; None where there is none."""
    if ink.empty:
        return None
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    weights = np.bincount(labels.ravel(), ink.soft.ravel(), minlength=count)
    usable = [index for index in range(1, count) if _is_writing(stats[index], ink)]
    if not usable:
        return None
    members = [max(usable, key=lambda index: float(weights[index]))]
    box = stats[members[0], :4]
    while True:  # a joined piece may bring the next one within reach
        reach = max(JOIN_STROKES * ink.stroke, JOIN_SHARE * max(box[2:4]))
        near = [i for i in usable if i not in members and _gap(stats[i, :4], box) <= reach]
        if not near:
            break
        members += near
        box = _union([stats[index, :4] for index in members])
    x, y, width, height = (int(value) for value in box)
    if max(width, height) < MIN_HEIGHT:
        return None
    chosen = np.isin(labels[y : y + height, x : x + width], members)
    soft = np.where(chosen, ink.soft[y : y + height, x : x + width], 0).astype(np.uint8)
    place = tuple(round(float(value) / ink.scale) for value in (x, y, width, height))
    return Character(soft, (place[0], place[1], place[2], place[3]), stroke_width(chosen.astype(np.uint8)))


def _is_writing(stat: Box, ink: Ink) -> bool:
    """No speck, no frame and no line along the image's edge."""
    x, y, width, height, area = (int(value) for value in stat)
    rows, columns = ink.mask.shape
    if area < max(4.0, MIN_PIECE * ink.stroke**2):
        return False
    on_edge = x == 0 or y == 0 or x + width == columns or y + height == rows
    return not (on_edge and (width >= FRAME_SPAN * columns or height >= FRAME_SPAN * rows))


def _gap(a: Box, b: Box) -> float:
    """Distance in pixels between two boxes (x, y, width, height); 0 where they overlap."""
    across = max(int(b[0] - a[0] - a[2]), int(a[0] - b[0] - b[2]), 0)
    down = max(int(b[1] - a[1] - a[3]), int(a[1] - b[1] - b[3]), 0)
    return float(np.hypot(across, down))


def _union(boxes: list[Box]) -> Box:
    array = np.array(boxes)
    low, high = array[:, :2].min(0), (array[:, :2] + array[:, 2:]).max(0)
    return np.concatenate([low, high - low])
