"""A line to candidate characters: over-segmentation into the spans between possible cuts.

Touching characters cannot be told apart before they are recognised.  So of all writing that is not surely one character
every plausible span is cut out, all are recognised in one batch, and the best way through them is found afterwards
(path.py): "recognition-based segmentation" in Casey and Lecolinet 1996, section 4.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .layout import Line

Pixels = NDArray[np.uint8]
Ints = NDArray[Any]  # of OpenCV's labels and statistics

MIN_AREA = 4  # pixels: a smaller piece came off when the slant was undone
SAME_CHARACTER = 0.5  # of the narrower piece's width: pieces that overlap so far across are one character
WHOLE_WIDTH = 0.35  # of the line's height: a narrower piece is not cut
NEIGHBOURHOOD = 0.18  # of the line's height, each way: a likely cut is the thinnest place of it,
MIN_PRIMITIVE = 0.2  # of the line's height: two cuts are at least this far apart
MAX_CUT = 2.6  # stroke widths of ink that it may cross
MAX_NECK = 0.8  # of the line's height: where the outline is as low, more ink may be: zeros touch along their flanks
MAX_WIDTH = 1.4  # of the line's height: a wider span is no character
LOW = 0.6  # of the line's height: a lower piece may be part of the character beside it
MAX_GAP = 0.4  # of the line's height: more paper is between two characters, not inside one
MAX_PRIMITIVES = 5  # in a span


@dataclass(frozen=True)
class Primitive:
    """A piece of a line between two neighbouring cuts.

    pieces: labels of the connected pieces that it is cut from.  left, right: columns.  ink: stroke widths that the
    cut on its left crosses; 0 at a gap.
    """

    pieces: tuple[int, ...]
    left: int
    right: int
    ink: float


@dataclass(frozen=True)
class Span:
    """A candidate character: primitives start to end - 1 of a line.

    soft: (h, w) uint8, cropped to its ink.  box: x, y, width, height in the line.  gap: columns of paper inside it.
    """

    start: int
    end: int
    soft: Pixels
    box: tuple[int, int, int, int]
    gap: int


@dataclass(frozen=True)
class Lattice:
    """What a line may be parted into; every span runs from one primitive's left side to another's right side."""

    primitives: tuple[Primitive, ...]
    spans: tuple[Span, ...]
    height: float


def segment(line: Line, cut: bool = True, whole: Collection[tuple[int, ...]] = ()) -> Lattice:
    """The lattice of a line; without spans where nothing in it can be a character.

    cut: look for cuts within connected writing, not only for gaps.  whole: pieces of primitives, of the same line
    without cuts, that are characters by themselves: they are not cut, nor joined with another as high.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(line.mask, connectivity=8)
    pieces = [index for index in range(1, count) if stats[index][4] >= MIN_AREA]
    primitives: list[Primitive] = []
    for group in _characters(pieces, stats):
        primitives += _cut(group, labels, stats, line, cut and tuple(group) not in whole)
    return Lattice(tuple(primitives), tuple(_spans(primitives, labels, line, whole)), line.height)


def _characters(pieces: list[int], stats: Ints) -> list[list[int]]:
    """Pieces above each other put together, from the left: the bar of a 5 with its body."""
    groups: list[list[int]] = []
    right = 0
    for index in sorted(pieces, key=lambda i: int(stats[i][0])):
        x, width = int(stats[index][0]), int(stats[index][2])
        if groups:
            left = min(int(stats[i][0]) for i in groups[-1])
            if min(right, x + width) - x > SAME_CHARACTER * min(width, right - left):
                groups[-1].append(index)
                right = max(right, x + width)
                continue
        groups.append([index])
        right = x + width
    return groups


def _cut(group: list[int], labels: Ints, stats: Ints, line: Line, cut: bool) -> list[Primitive]:
    """The primitives of one connected piece of writing.

    It is cut at the thinnest places of its ink and of its outline, then between them, so that strokes that touch along
    their flanks part as well.  Cuts are straight: paths that fall around the ink (drop fall, Congedo et al. 1995) read
    fewer of the tuning cheques.
    """
    left = min(int(stats[i][0]) for i in group)
    right = max(int(stats[i][0] + stats[i][2]) for i in group)
    own = np.zeros(int(labels.max()) + 1, np.bool_)
    own[group] = True
    inside = own[labels[:, left:right]]
    width = right - left
    smooth = np.zeros(width)
    cuts: list[int] = []
    if cut and width > WHOLE_WIDTH * line.height:
        reach = max(1, round(line.stroke * 0.5))
        window = np.ones(2 * reach + 1) / (2 * reach + 1)
        smooth = np.convolve(np.pad(inside.sum(0).astype(float), reach, mode="edge"), window, "valid")
        filled = inside.any(0)
        extent = np.where(filled, len(inside) - inside[::-1].argmax(0) - inside.argmax(0), 0).astype(float)
        thin = _minima(smooth, line.height) & (smooth <= MAX_CUT * line.stroke)
        neck = _minima(extent, line.height) & (extent <= MAX_NECK * line.height)
        apart = MIN_PRIMITIVE * line.height
        by_ink = np.argsort(smooth, kind="stable")
        likely = by_ink[(thin | neck)[by_ink]]
        for x in [*likely.tolist(), *by_ink.tolist()]:  # likely places first, then wherever there is room
            at_an_end = x < apart or width - x < apart
            if not at_an_end and all(abs(x - other) >= apart for other in cuts):
                cuts.append(x)
    ends = [0, *sorted(cuts), width]
    return [
        Primitive(tuple(group), left + a, left + b, float(smooth[a]) / line.stroke if a else 0.0)
        for a, b in pairwise(ends)
    ]


def _minima(values: NDArray[np.float64], height: float) -> NDArray[np.bool_]:
    """(n,) bool: no value within NEIGHBOURHOOD of it is lower; the two columns at each end are none."""
    reach = 2 * int(NEIGHBOURHOOD * height) + 1
    lowest = cv2.erode(values.astype(np.float32)[None], np.ones((1, reach), np.uint8))[0]
    minima = values.astype(np.float32) <= lowest
    minima[:2] = minima[-2:] = False
    return np.asarray(minima, np.bool_)


def _spans(primitives: list[Primitive], labels: Ints, line: Line, whole: Collection[tuple[int, ...]]) -> list[Span]:
    spans = []
    count = int(labels.max()) + 1
    low = [bool(whole) and _is_low(primitive, labels, count, line.height) for primitive in primitives]
    for start, first in enumerate(primitives):
        own = np.zeros(count, np.uint8)  # of each piece: whether it is the span's
        gap = sure = 0
        for end in range(start + 1, min(len(primitives), start + MAX_PRIMITIVES) + 1):
            last = primitives[end - 1]
            if end > start + 1:
                gap += max(0, last.left - primitives[end - 2].right)
                if last.right - first.left > MAX_WIDTH * line.height or gap > MAX_GAP * line.height:
                    break
            sure += last.pieces in whole
            if sure and end > start + 1 and (sure > 1 or not (low[start] or low[end - 1])):
                break
            own[list(last.pieces)] = 1
            inside = own[labels[:, first.left : last.right]]
            left, top, width, height = cv2.boundingRect(inside)
            if not width:
                continue
            place = slice(top, top + height), slice(first.left + left, first.left + left + width)
            soft = line.soft[place] * inside[top : top + height, left : left + width]
            spans.append(Span(start, end, soft, (first.left + left, top, width, height), gap))
    return spans


def _is_low(primitive: Primitive, labels: Ints, count: int, height: float) -> bool:
    """Whether a primitive is lower than a character: a bar, a dot."""
    own = np.zeros(count, np.uint8)
    own[list(primitive.pieces)] = 1
    return cv2.boundingRect(own[labels[:, primitive.left : primitive.right]])[3] < LOW * height
