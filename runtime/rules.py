"""Ink without printed lines: rules and margins that leave the image, underlines, frames and cells around the writing.

A stroke that crosses a line stays whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from operator import attrgetter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .ink import DEFAULT_STEPS, WORK_SIDE, Ink, find_ink
from .steps import Steps

Pixels = NDArray[np.uint8]

STRAIGHT = 8  # stroke widths: straight ink this long may be a printed line
THICKNESS = 2.2  # stroke widths at most, on average
SPAN = 0.3  # of the image's width, which a rule that leaves the image must span
LONG = 1.6  # of the writing's height: a line this long is no part of a character,
TALLER = 2.5  # nor one that stands and is this tall
TALL = 3  # stroke widths: what is as high is writing
FILLED = 0.9  # of such a line's length is ink,
WAVER = 0.3  # stroke widths, and half a pixel, that its middle is off a straight line, in nine of ten places
CORNER = 0.5  # stroke widths, and two pixels, between the ends of two lines that meet in a corner
INSIDE = 0.25  # of a frame's height: what stands in it is as high; else it may itself be writing, an angular 0,
WIDE = 1.5  # but not if it is so many times as wide as high
NEAR = 2  # pixels from a line: what touches it
TOUCHED = 0.1  # of a margin's length is touched at most
MAX_LINES = 60  # each way; the longest are looked at


@dataclass(frozen=True, eq=False)
class Rule:
    """A straight line of ink: lying, or standing in an image that was transposed.

    start, end: first and one after the last pixel along it.  top, bottom: likewise across.  pixels: (bottom - top,
    end - start) uint8, 0 or 1.
    """

    start: int
    end: int
    top: int
    bottom: int
    pixels: Pixels

    @property
    def length(self) -> int:
        """Pixels."""
        return self.end - self.start

    def is_drawn(self, stroke: float) -> bool:
        """Whether it is one straight line, not strokes of writing that happen to lie in a row."""
        filled = np.flatnonzero(self.pixels.any(0))
        if len(filled) < FILLED * self.length:
            return False
        last = self.pixels.shape[0] - 1 - self.pixels[::-1].argmax(0)
        middles = ((self.pixels.argmax(0) + last) / 2)[filled]
        off = np.abs(middles - np.polyval(np.polyfit(filled, middles, 1), filled))
        return float(np.percentile(off, 90)) <= WAVER * stroke + 0.5

    def leaves(self, size: int) -> bool:
        """Whether it reaches an end of an image of `size` pixels along it."""
        return self.start <= 1 or self.end >= size - 1

    def meets(self, other: Rule, slack: float) -> bool:
        """Whether it meets or crosses one of the other direction, but for `slack` pixels."""
        along = self.start - slack <= other.bottom and other.top <= self.end + slack
        return along and other.start - slack <= self.bottom and self.top <= other.end + slack


def written_ink(image: Pixels, steps: Steps = DEFAULT_STEPS, side: int = WORK_SIDE) -> Ink:
    """As `find_ink`, without printed lines where `steps` takes them out."""
    ink = find_ink(image, steps, side)
    return without_rules(ink) if steps.rules else ink


def without_rules(ink: Ink) -> Ink:
    """The ink without printed lines."""
    lying = [] if ink.empty else straight_lines(ink.mask, ink.stroke)
    rows, columns = ink.mask.shape
    rules = [line for line in lying if line.leaves(columns) and line.length >= SPAN * columns]
    may_stand = len(lying) > 1 or (not ink.empty and (ink.mask[0].any() or ink.mask[-1].any()))
    standing = straight_lines(np.ascontiguousarray(ink.mask.T), ink.stroke) if may_stand else []
    downs = [line for line in standing if line.leaves(rows) and sum(line.meets(rule, 0) for rule in rules) > 1]
    for lines, sides in _frames(lying, standing, ink):
        rules += [line for line in lines if line not in rules]
        downs += [line for line in sides if line not in downs]
    inner = [line for line in lying if line not in rules and line.is_drawn(ink.stroke)]
    margins = [line for line in standing if line not in downs and line.leaves(rows) and line.is_drawn(ink.stroke)]
    if inner or margins:
        bare = _erased(ink.mask, rules, downs)
        height = _height(_writing(bare, ink.stroke))
        writing = _writing(_erased(bare, inner, margins), ink.stroke)
        rules += [line for line in inner if line.length >= LONG * height and _is_underline(line, writing)]
        downs += [line for line in margins if line.length >= TALLER * height and _stands_apart(line, bare.T)]
    if not rules and not downs:
        return ink
    mask = _erased(ink.mask, rules, downs)
    return replace(ink, soft=ink.soft * mask, mask=mask)


def straight_lines(mask: Pixels, stroke: float) -> list[Rule]:
    """The thin lying lines of a mask, (H, W) uint8 of 0 and 1, the longest first; they may slope a little.

    stroke: the pen's width, pixels.
    """
    left, top, width, height = cv2.boundingRect(mask)
    length = int(STRAIGHT * stroke)
    if width < length:
        return []
    inside = mask[top : top + height, left : left + width]
    bridged = cv2.morphologyEx(inside, cv2.MORPH_CLOSE, np.ones((1, 2 * int(stroke) + 1), np.uint8))
    straight = cv2.morphologyEx(bridged, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    if not straight.any():
        return []
    ragged = cv2.bitwise_and(cv2.dilate(straight, np.ones((3, 3), np.uint8)), inside)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ragged, connectivity=8)
    lines = []
    for index in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[index])
        if w >= length and area <= (THICKNESS * stroke + 2) * w:
            pixels = _thin((labels[y : y + h, x : x + w] == index).astype(np.uint8))
            lines.append(Rule(left + x, left + x + w, top + y, top + y + h, pixels))
    return sorted(lines, key=lambda line: -line.length)[:MAX_LINES]


def _thin(pixels: Pixels) -> Pixels:
    """A lying line's pixels without those of strokes that run along it for a while: no further than the line's
    thickness from the middle that its thin places have."""
    filled = np.flatnonzero(pixels.any(0))
    first = pixels.argmax(0)[filled]
    last = pixels.shape[0] - 1 - pixels[::-1].argmax(0)[filled]
    thickness = np.median(last - first) + 1
    thin = last - first < thickness
    if thin.sum() < 2:
        return pixels
    middle = np.polyval(np.polyfit(filled[thin], (first + last)[thin] / 2, 1), np.arange(pixels.shape[1]))
    near = np.abs(np.arange(pixels.shape[0])[:, None] - middle) <= thickness
    return np.asarray(pixels & near, np.uint8)


def _frames(lying: list[Rule], standing: list[Rule], ink: Ink) -> Iterator[tuple[list[Rule], list[Rule]]]:
    """The lines of every frame: top and bottom, then its sides and what parts it into cells."""
    slack = CORNER * ink.stroke + 2
    for top, bottom in combinations(sorted(lying, key=lambda line: line.top), 2):
        tall = bottom.top - top.bottom
        if tall < TALL * ink.stroke or abs(top.start - bottom.start) + abs(top.end - bottom.end) > tall:
            continue
        across = [line for line in standing if line.meets(top, slack) and line.meets(bottom, slack)]
        left, right = (
            [line for line in across if all(abs(_at(line, rule) - end(rule)) <= slack for rule in (top, bottom))]
            for end in (attrgetter("start"), attrgetter("end"))
        )
        if left and right and (top.length >= WIDE * tall or _holds_writing(top, bottom, across, ink)):
            cells = [line for line in across if line.meets(top, 0) and line.meets(bottom, 0)]
            yield [top, bottom], [*left, *right, *(line for line in cells if line not in left + right)]


def _at(standing: Rule, lying: Rule) -> float:
    """The column where a standing line meets a lying one."""
    row = min(max((lying.top + lying.bottom) // 2 - standing.start, 0), standing.length - 1)
    columns = np.flatnonzero(standing.pixels[:, max(0, row - 3) : row + 4].any(1))
    return standing.top + (float(columns.mean()) if len(columns) else 0.0)


def _holds_writing(top: Rule, bottom: Rule, sides: list[Rule], ink: Ink) -> bool:
    bare = _erased(ink.mask, [top, bottom], sides)
    inside = bare[top.bottom : bottom.top, max(top.start, bottom.start) : min(top.end, bottom.end)]
    if not inside.size:
        return False
    return int(cv2.boundingRect(np.ascontiguousarray(inside))[3]) >= INSIDE * (bottom.top - top.bottom)


def _writing(mask: Pixels, stroke: float) -> NDArray[Any]:
    """x, y, width, height and area of the connected pieces that are as high as writing."""
    if not mask.any():
        return np.zeros((0, 5), np.int32)
    stats = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:]
    return np.asarray(stats[stats[:, 3] >= TALL * stroke])


def _height(writing: NDArray[Any]) -> float:
    """The writing's height; infinite without any."""
    return float(np.percentile(writing[:, 3], 75)) if len(writing) else np.inf


def _is_underline(line: Rule, writing: NDArray[Any]) -> bool:
    """Whether a lying line goes from before to behind all that stands on or under it; the bars of 7s that are joined
    are none: nothing stands on them, and what is under them hangs from them."""
    lefts, rights = writing[:, 0], writing[:, 0] + writing[:, 2]
    beside = (lefts < line.end) & (rights > line.start)
    first, last = lefts[beside].min(initial=line.start), rights[beside].max(initial=line.end)
    tops, ends = writing[beside, 1], writing[beside, 1] + writing[beside, 3]
    hang = (tops <= line.bottom + NEAR) & (ends > line.bottom + NEAR)
    return bool(line.start <= first and line.end >= last and not (beside.any() and hang.all()))


def _stands_apart(line: Rule, mask: Pixels) -> bool:
    """Whether hardly anything in a mask, transposed, touches a line of it."""
    low, high = max(0, line.top - NEAR), line.bottom + NEAR
    around = mask[low:high, line.start : line.end].copy()
    at = line.top - low
    around[at : at + line.pixels.shape[0]] &= 1 - line.pixels
    return int(around.any(0).sum()) <= TOUCHED * line.length


def _erased(mask: Pixels, lying: list[Rule], standing: list[Rule]) -> Pixels:
    """A mask without lines, but for their pixels where a stroke crosses one."""
    bare = mask.copy()
    for line, view in [*((line, bare) for line in lying), *((line, bare.T) for line in standing)]:
        view[line.top : line.bottom, line.start : line.end] &= 1 - line.pixels
    crossed = bare.copy()
    for line, before, after in [
        *((line, bare, crossed) for line in lying),
        *((line, bare.T, crossed.T) for line in standing),
    ]:
        after[line.top : line.bottom, line.start : line.end] |= line.pixels * _crossed(line, before)
    return crossed


def _crossed(line: Rule, bare: Pixels) -> Pixels:
    """(length,) uint8: 1 where a line has ink right above and right below it."""
    filled = line.pixels.any(0)
    first = line.top + line.pixels.argmax(0)
    last = line.bottom - 1 - line.pixels[::-1].argmax(0)
    columns = np.arange(line.start, line.end)
    rows = bare.shape[0]
    above, below = np.zeros((2, line.length), np.uint8)
    for step in range(1, NEAR + 1):
        above |= bare[np.maximum(first - step, 0), columns] * (first >= step)
        below |= bare[np.minimum(last + step, rows - 1), columns] * (last + step < rows)
    thickness = int(line.pixels.sum(0).max())  # a slanted stroke leaves it a little beside where it came in
    window = np.ones((1, 2 * (thickness // 2) + 1), np.uint8)
    above, below = (cv2.dilate(side[None], window)[0] for side in (above, below))
    return np.asarray(above & below & filled, np.uint8)
