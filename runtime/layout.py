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
LINE_SHARE = 0.5  # of the tallest piece's height: a piece as tall is a character's, and makes a line
LINE_OVERLAP = 0.4  # of the lower piece's height: pieces that overlap so far in height stand in one line
MAX_SLANT = 0.9  # horizontal shift per unit of height
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


@dataclass(frozen=True)
class Line:
    """A line of writing, its slant undone.

    soft, mask: (h, w) uint8 as of Ink.  height: of its characters, pixels.  stroke: the pen's width, pixels.
    slant: the shift to the right per row that was put in.  left, top: of the line in the ink.  scale: the ink's.
    """

    soft: Pixels
    mask: Pixels
    height: float
    stroke: float
    slant: float
    left: int
    top: int
    scale: float

    def place(self, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
        """A box of the line (x, y, width, height) in pixels of the original image, the slant taken at its middle."""
        shift = self.slant * (y + height / 2) + max(0.0, -self.slant) * self.mask.shape[0]
        placed = (self.left + x - shift, self.top + y, width, height)
        a, b, c, d = (round(value / self.scale) for value in placed)
        return a, b, c, d


def find_lines(ink: Ink) -> tuple[Line, ...]:
    """The lines of writing in an image, from the top; what is neither character nor beside one is left out."""
    if ink.empty:
        return ()
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink.mask, connectivity=8)
    usable = [index for index in range(1, count) if _is_writing(stats[index], ink)]
    tall = [index for index in usable if stats[index][3] >= LINE_SHARE * max(stats[i][3] for i in usable)]
    if not tall or stats[tall[0]][3] < MIN_HEIGHT:
        return ()
    groups: list[list[int]] = []
    for index in sorted(tall, key=lambda i: int(stats[i][1])):
        fitting = [group for group in groups if _overlap(stats[index], stats[group]) >= LINE_OVERLAP]
        if fitting:
            fitting[0].append(index)
        else:
            groups.append([index])
    lines = []
    for group in groups:
        top, bottom = int(stats[group, 1].min()), int((stats[group, 1] + stats[group, 3]).max())
        centres = stats[:, 1] + stats[:, 3] / 2
        low = [i for i in usable if i not in tall and top <= centres[i] <= bottom]
        members = group + [i for i in low if not _on_edge(stats[i], ink)]  # there it is a neighbour's fragment
        lines.append(_line(ink, labels, stats, members, float(np.percentile(stats[group, 3], 75))))
    return tuple(lines)


def _line(ink: Ink, labels: NDArray[Any], stats: NDArray[Any], members: list[int], height: float) -> Line:
    x, y, width, tall = (int(value) for value in _union([stats[index, :4] for index in members]))
    chosen = np.isin(labels[y : y + tall, x : x + width], members)
    mask = chosen.astype(np.uint8)
    soft = ink.soft[y : y + tall, x : x + width] * mask
    slant = find_slant(mask)
    upright = (shear(mask * np.uint8(255), slant) > 127).astype(np.uint8)
    return Line(shear(soft, slant) * upright, upright, height, ink.stroke, slant, x, y, ink.scale)


def find_slant(mask: Pixels) -> float:
    """The shift to the right per row that makes a line's steep strokes upright: the mean over their edges."""
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    steep = (np.abs(down) < np.abs(across)) & (strength > 0.3 * strength.max())
    if not steep.any():
        return 0.0
    slant = float(np.average(down[steep] / across[steep], weights=strength[steep]))
    return min(max(slant, -MAX_SLANT), MAX_SLANT)


def shear(image: Pixels, slant: float) -> Pixels:
    """Shift each row to the right by slant × its number; the image is widened to hold all."""
    height, width = image.shape
    extra = int(np.ceil(abs(slant) * height))
    matrix = np.array([[1, slant, max(0.0, -slant) * height], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, (width + extra, height), flags=cv2.INTER_LINEAR), np.uint8)


def _overlap(stat: NDArray[Any], others: NDArray[Any]) -> float:
    """How far a piece shares its height with the span of others, as a share of the lower one's."""
    top, bottom = int(others[:, 1].min()), int((others[:, 1] + others[:, 3]).max())
    shared = min(bottom, int(stat[1] + stat[3])) - max(top, int(stat[1]))
    return shared / min(int(stat[3]), bottom - top)


def _is_writing(stat: Box, ink: Ink) -> bool:
    """No speck, no frame and no line along the image's edge."""
    width, height, area = (int(value) for value in stat[2:5])
    rows, columns = ink.mask.shape
    if area < max(4.0, MIN_PIECE * ink.stroke**2):
        return False
    return not (_on_edge(stat, ink) and (width >= FRAME_SPAN * columns or height >= FRAME_SPAN * rows))


def _on_edge(stat: Box, ink: Ink) -> bool:
    x, y, width, height = (int(value) for value in stat[:4])
    rows, columns = ink.mask.shape
    return x == 0 or y == 0 or x + width == columns or y + height == rows


def _gap(a: Box, b: Box) -> float:
    """Distance in pixels between two boxes (x, y, width, height); 0 where they overlap."""
    across = max(int(b[0] - a[0] - a[2]), int(a[0] - b[0] - b[2]), 0)
    down = max(int(b[1] - a[1] - a[3]), int(a[1] - b[1] - b[3]), 0)
    return float(np.hypot(across, down))


def _union(boxes: list[Box]) -> Box:
    array = np.array(boxes)
    low, high = array[:, :2].min(0), (array[:, :2] + array[:, 2:]).max(0)
    return np.concatenate([low, high - low])
