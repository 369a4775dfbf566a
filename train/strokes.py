"""Digits written by a pen: control points become smooth curves, a varying hand, soft ink.

Curves are uniform Catmull–Rom splines (Catmull and Rom 1974), linear in their control points: one matrix product draws
any number of hands at once.  A round brush follows them at a multiple of the wanted size; area resampling makes the
edges soft, as MNIST's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import cv2
import numpy as np

from ..runtime.glyph import mnist
from .styles import STROKES, Path, styles

__all__ = [
    "MNIST_HAND",
    "Hand",
    "Writing",
    "cropped",
    "digit_glyphs",
    "draw",
    "glyphs_of",
    "inks_of",
    "styles",
    "trace",
    "write",
]

GLYPH_SIDE = 28  # pixels
GLYPH_BOX = 20  # pixels of the glyph that the character's longer side fills
MULTIPLE = 4  # drawn so many times larger than wanted
GLYPH_STEPS = 5  # points of the polyline between two control points; enough for a glyph
FINE_STEPS = 20  # enough for a photo
PEN_RUN = 4  # points of the polyline that are drawn with one width
SHIFT = 4  # fractional bits of OpenCV's coordinates


@dataclass(frozen=True)
class Hand:
    """Who writes, with what: every character draws its own values.

    Lengths are in heights of the character.  `spread` fields are standard deviations.
    """

    jitter: float = 0.025  # spread of each control point; its neighbours along the stroke go with it
    bend: float = 0.045  # spread of a smooth warp of the whole character
    slant: tuple[float, float] = (0.15, 0.19)  # mean and spread of the rightward shift of the top per height
    rotation: float = 4.0  # degrees, spread
    aspect: float = 0.14  # spread of the logarithm of width by height
    pen: tuple[float, float] = (0.112, 0.026)  # mean and spread of the line's width
    pressure: float = 0.15  # share by which the width swells and thins along the line


MNIST_HAND = Hand()


@dataclass(frozen=True)
class Writing:
    """Characters as pen paths, of one style, by several hands.

    points: (N, P, 2) float32, x and y of the pen's centre; the ink's longer side is 1, its upper left corner at 0, 0.
    widths: (N, P) float32, of the line at every point.  sizes: (N, 2) float32, width and height that hold the ink.
    lines: slices of P, between which the pen is lifted.
    """

    points: np.ndarray
    widths: np.ndarray
    sizes: np.ndarray
    lines: tuple[slice, ...]


def write(
    paths: Sequence[Path], count: int, rng: np.random.Generator, hand: Hand = MNIST_HAND, steps: int = FINE_STEPS
) -> Writing:
    """Strokes written `count` times.  steps: points of the polyline between two control points."""
    basis, control, lines = _spline(tuple(paths), steps)
    jitter = rng.normal(0, hand.jitter, (count, *control.shape)).astype(np.float32)
    points = _vary(basis @ (control + _neighbours(tuple(paths)) @ jitter), rng, hand)
    return _fit(points, _press(points, lines, rng, hand), lines)


def trace(curves: Sequence[np.ndarray], rng: np.random.Generator, hand: Hand = MNIST_HAND) -> Writing:
    """Free lines of the pen, each (P, 2) points of a polyline, written once."""
    ends = np.cumsum([len(curve) for curve in curves]).tolist()
    lines = tuple(slice(end - len(curve), end) for end, curve in zip(ends, curves, strict=True))
    points = _vary(np.concatenate(curves)[None].astype(np.float32), rng, hand)
    return _fit(points, _press(points, lines, rng, hand), lines)


def draw(label: str, style: str, rng: np.random.Generator, size: int = 128, hand: Hand = MNIST_HAND) -> np.ndarray:
    """One digit, (h, w) uint8, bright ink on black, cropped to it; its longer side is `size` pixels.

    Raises KeyError with the styles that exist.
    """
    ink = inks_of(write(_paths(label, style), 1, rng, hand), size * MULTIPLE)[0]
    share = size / max(ink.shape)
    width, height = (max(1, round(side * share)) for side in reversed(ink.shape))
    return np.asarray(cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA))


def digit_glyphs(
    count: int,
    rng: np.random.Generator,
    chosen: Sequence[tuple[str, str]] = (),
    hand: Hand = MNIST_HAND,
) -> tuple[np.ndarray, np.ndarray]:
    """Digits in MNIST's geometry and look: images (N, 28, 28) uint8, bright ink on black, and labels (N,) int64.

    Every digit is equally frequent, and so are its styles; with `chosen` (pairs of label and style) those are.
    Raises KeyError as `draw`.
    """
    pairs = list(chosen) or list(STROKES)
    if chosen:
        picks = rng.integers(len(pairs), size=count)
    else:
        digits = rng.integers(10, size=count)
        drawn = [[i for i, pair in enumerate(pairs) if pair[0] == str(digit)] for digit in range(10)]
        share = rng.random(count)
        picks = np.array([drawn[d][int(s * len(drawn[d]))] for d, s in zip(digits, share, strict=True)], np.int64)
    images = np.empty((count, GLYPH_SIDE, GLYPH_SIDE), np.uint8)
    for index, pair in enumerate(pairs):
        places = np.flatnonzero(picks == index)
        if len(places):
            images[places] = glyphs_of(write(_paths(*pair), len(places), rng, hand, GLYPH_STEPS))
    return images, np.array([int(label) for label, _ in pairs], np.int64)[picks]


def _paths(label: str, style: str) -> tuple[Path, ...]:
    if (label, style) not in STROKES:
        raise KeyError(f"no style {style!r} of {label!r}; there are {styles()}")
    return STROKES[label, style]


def glyphs_of(writing: Writing) -> np.ndarray:
    """Glyphs (N, 28, 28) uint8 of what was written, in MNIST's geometry."""
    inks = inks_of(writing, GLYPH_BOX * MULTIPLE)
    return np.stack([mnist(ink, GLYPH_SIDE) for ink in inks])


def inks_of(writing: Writing, side: int) -> list[np.ndarray]:
    """Every character, (h, w) uint8 of 0 and 255, cropped to its ink.

    Its longer side is `side` pixels; up to the pen's swelling less where the line's ends are light.
    """
    # OpenCV's pixel 0 is centred at 0, the writing's begins there
    fixed = np.rint((writing.points * side - 0.5) * (1 << SHIFT)).astype(np.int32)
    starts = [(line.start, line.stop) for line in writing.lines]
    runs = [(at, min(at + PEN_RUN + 1, stop)) for start, stop in starts for at in range(start, stop - 1, PEN_RUN)]
    pens = np.maximum(1, np.rint(writing.widths[:, [first for first, _ in runs]] * side)).astype(int).tolist()
    sizes = np.maximum(1, np.ceil(writing.sizes * side - 0.01)).astype(int).tolist()
    inks = []
    for points, pen, (width, height) in zip(fixed, pens, sizes, strict=True):
        canvas = np.zeros((height, width), np.uint8)
        for (first, stop), thickness in zip(runs, pen, strict=True):
            cv2.polylines(canvas, [points[first:stop]], False, 255, thickness, cv2.LINE_8, SHIFT)
        inks.append(cropped(canvas))
    return inks


def cropped(ink: np.ndarray) -> np.ndarray:
    """The part of an (H, W) uint8 array that holds all of its ink."""
    x, y, width, height = cv2.boundingRect(ink)
    return ink[y : y + height, x : x + width]


# --- the hand --------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def _spline(paths: tuple[Path, ...], steps: int) -> tuple[np.ndarray, np.ndarray, tuple[slice, ...]]:
    """Matrix (P, C) from control points to points of the polylines, the control points (C, 2), and the pen's lines."""
    control = np.array([point[:2] for path in paths for point in path], np.float32)
    rows: list[np.ndarray] = []
    lines, first = [], 0
    for path in paths:
        start = len(rows)
        last = len(path) - 1
        ends = [0, *(i for i in range(1, last) if path[i][2]), last]
        for low, high in pairwise(ends):
            for span in range(low, high):
                shares = np.arange(steps) / steps
                rows += [_catmull_rom(span, t, low, high, first, len(control)) for t in shares]
        rows.append(_catmull_rom(last - 1, 1.0, last - 1, last, first, len(control)))
        lines.append(slice(start, len(rows)))
        first += len(path)
    return np.array(rows, np.float32), control, tuple(lines)


@lru_cache(maxsize=256)
def _neighbours(paths: tuple[Path, ...]) -> np.ndarray:
    """Matrix (C, C) that mixes the control points' jitter along each stroke; unit variance is kept."""
    owner = np.repeat(np.arange(len(paths)), [len(path) for path in paths])
    place = np.arange(len(owner))
    near = np.exp(-0.5 * ((place[:, None] - place) / 0.8) ** 2) * (owner[:, None] == owner)
    return np.asarray(near / np.sqrt((near**2).sum(1, keepdims=True)), np.float32)


def _catmull_rom(span: int, t: float, low: int, high: int, first: int, count: int) -> np.ndarray:
    """Weights (count,) of the control points at t of a span; beyond its ends, low and high, the curve is mirrored."""
    row = np.zeros(count)
    weights = (
        (-t + 2 * t**2 - t**3) / 2,
        (2 - 5 * t**2 + 3 * t**3) / 2,
        (t + 4 * t**2 - 3 * t**3) / 2,
        (-(t**2) + t**3) / 2,
    )
    for point, weight in zip(range(span - 1, span + 3), weights, strict=True):
        if point < low:
            row[first + low] += 2 * weight
            row[first + low + 1] -= weight
        elif point > high:
            row[first + high] += 2 * weight
            row[first + high - 1] -= weight
        else:
            row[first + point] += weight
    return row


def _vary(points: np.ndarray, rng: np.random.Generator, hand: Hand) -> np.ndarray:
    """Bent, slanted, stretched and turned: (N, P, 2)."""
    count = len(points)

    def spread(deviation: float, *shape: int) -> np.ndarray:
        return rng.normal(0, deviation, (count, 1, *shape)).astype(np.float32)

    # a wave across the character with a wavelength of about its size, one for x and one for y
    along = points @ spread(2.2, 2, 2)[:, 0]
    points = points + spread(hand.bend, 2) * np.sin(along + rng.uniform(0, 2 * np.pi, (count, 1, 2)))
    x, y = points[..., 0] - 0.5, points[..., 1] - 0.5
    x = x * np.exp(spread(hand.aspect)) - y * (hand.slant[0] + spread(hand.slant[1]))
    angle = np.radians(spread(hand.rotation))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([x * cos - y * sin, x * sin + y * cos], -1).astype(np.float32)


def _press(points: np.ndarray, lines: Sequence[slice], rng: np.random.Generator, hand: Hand) -> np.ndarray:
    """The line's width at every point, (N, P): swelling slowly, thinner where the pen is set down and lifted."""
    count = len(points)
    pen = np.maximum(rng.normal(hand.pen[0], hand.pen[1], (count, 1)), hand.pen[0] / 2)
    widths = np.empty(points.shape[:2], np.float32)
    for line in lines:
        along = np.linspace(0, 1, line.stop - line.start)[None]
        waves, phase = rng.uniform(0.5, 1.5, (count, 1)), rng.uniform(0, 2 * np.pi, (count, 1))
        swell = 1 + hand.pressure * np.sin(2 * np.pi * waves * along + phase)
        ends = 1 - hand.pressure * np.exp(-np.minimum(along, 1 - along) / 0.06)
        widths[:, line] = pen * swell * ends
    return widths


def _fit(points: np.ndarray, widths: np.ndarray, lines: tuple[slice, ...]) -> Writing:
    """Moved and scaled so that the ink's longer side is 1; the pen's width is of that side then."""
    low, high = points.min(1), points.max(1)
    margin = widths.max(1)
    share = np.clip((1 - margin) / np.maximum((high - low).max(1), 1e-6), 0, 1e3).astype(np.float32)
    points = (points - low[:, None]) * share[:, None, None] + margin[:, None, None] / 2
    return Writing(points, widths, (high - low) * share[:, None] + margin[:, None], lines)
