"""Ink that is no digit, in the same look: what a recogniser must learn to refuse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np

from ..runtime.glyph import mnist
from .letters import LETTERS
from .strokes import (
    GLYPH_BOX,
    GLYPH_SIDE,
    GLYPH_STEPS,
    MNIST_HAND,
    MULTIPLE,
    Hand,
    Writing,
    cropped,
    glyphs_of,
    inks_of,
    trace,
    write,
)
from .styles import RARE, STROKES, parse_stroke

SIGNS = {
    "star": ("50,5! 72,95! 6,38! 94,38! 26,95! 50,5",),
    "heart": ("50,30! 34,9 12,16 10,42 28,68 50,92! 72,68 90,42 88,16 66,9 50,30",),
    "arrow": ("6,50 50,52 94,50", "68,26 94,50! 68,75"),
    "x-cross": ("14,10 50,50 86,92", "86,10 50,50 14,90"),
    "plus": ("50,6 50,50 50,94", "6,50 50,50 94,50"),
    "hash": ("36,6 30,94", "68,6 62,94", "8,34 92,32", "6,68 90,66"),
    "triangle": ("50,8! 92,88! 8,88! 50,8",),
    "box": ("10,12! 88,10! 90,88! 12,90! 10,12", "10,12 90,88"),
    "house": ("14,44! 14,92! 86,92! 86,44! 50,8! 14,44! 86,44",),
    "infinity": ("50,50 26,26 6,50 26,74 50,50 74,26 94,50 74,74 50,50",),
    "asterisk": ("50,6 50,94", "12,28 88,72", "88,28 12,72"),
    "dash": ("4,50 50,50 96,50",),
    "equals": ("6,30 50,30 94,30", "6,70 50,70 94,70"),
    "arc": ("4,58 28,44 50,40 72,44 96,58",),
    "tilde": ("4,56 26,40 50,50 74,60 96,44",),
    "smiley": ("50,4 18,18 4,50 18,82 50,96 82,82 96,50 82,18 50,4", "34,34 34,46", "66,34 66,46", "28,64 50,78 72,64"),
}
LETTER_SHARE = 0.45
# parts that look like no whole digit: label and the side that is kept
FRAGMENTS = (
    ("0", "top"), ("0", "bottom"), ("2", "bottom"), ("3", "top"), ("3", "bottom"), ("4", "left"), ("5", "bottom"),
    ("8", "left"),
)  # fmt: skip
LETTER_HAND = Hand(jitter=0.03, bend=0.05, slant=(0.12, 0.18), rotation=6, aspect=0.2, pen=(0.12, 0.035))
FREE_HAND = Hand(jitter=0.03, bend=0.05, slant=(0.0, 0.15), rotation=8, aspect=0.18, pen=(0.1, 0.025))
BUSY_HAND = Hand(jitter=0.0, bend=0.05, slant=(0.0, 0.25), rotation=40, aspect=0.3, pen=(0.075, 0.015))


def scribbles(count: int, rng: np.random.Generator, kinds: Sequence[str] = ()) -> np.ndarray:
    """Out-of-class glyphs, (N, 28, 28) uint8 in MNIST's geometry and look.

    kinds: mixed evenly; without them all are, LETTER_SHARE of the glyphs letters.
    Raises KeyError for a kind that is not in KINDS.
    """
    makers = [KINDS[kind] for kind in kinds] or list(KINDS.values())
    picks = rng.integers(len(makers), size=count)
    if not kinds:
        picks[rng.random(count) < LETTER_SHARE] = list(KINDS).index("letter")
    images = np.empty((count, GLYPH_SIDE, GLYPH_SIDE), np.uint8)
    for place, pick in enumerate(picks):
        images[place] = makers[pick](rng)
    return images


def _glyph(writing: Writing) -> np.ndarray:
    return np.asarray(glyphs_of(writing)[0])


def _sign(name: str, rng: np.random.Generator) -> np.ndarray:
    glyph = _glyph(write(_SIGN_PATHS[name], 1, rng, FREE_HAND, GLYPH_STEPS))
    return np.rot90(glyph, int(rng.integers(4))) if name == "arrow" else glyph


def _letter(rng: np.random.Generator) -> np.ndarray:
    names = [name for name in LETTERS for _ in range(1 + name.isupper())]  # capitals twice as often
    drawn = LETTERS[names[rng.integers(len(names))]]
    return _glyph(write(drawn[rng.integers(len(drawn))], 1, rng, LETTER_HAND, GLYPH_STEPS))


def _scribble(rng: np.random.Generator) -> np.ndarray:
    """A pen that wanders: a smooth curve through random places."""
    places = rng.random((rng.integers(9, 18), 2))
    path = tuple((float(x), float(y), False) for x, y in places)
    return _glyph(write([path], 1, rng, BUSY_HAND, GLYPH_STEPS))


def _zigzag(rng: np.random.Generator) -> np.ndarray:
    teeth = int(rng.integers(5, 10))  # fewer are an N, a Z or a 2
    x = np.linspace(0, rng.uniform(0.8, 1.6), teeth + 1)
    y = np.where(np.arange(teeth + 1) % 2, 0.0, rng.uniform(0.4, 1.0)) + rng.normal(0, 0.06, teeth + 1)
    points = np.stack([x + rng.normal(0, 0.03, teeth + 1), y], -1)
    return _traced([points[:, ::-1] if rng.random() < 0.5 else points], rng)


def _loops(rng: np.random.Generator) -> np.ndarray:
    """A row of loops, as in a joined-up e e e e."""
    turns = rng.uniform(3, 6)
    t = np.linspace(0, 2 * np.pi * turns, int(24 * turns))
    advance, radius = rng.uniform(0.08, 0.15), rng.uniform(0.25, 0.4)
    return _traced([np.stack([advance * t + radius * np.cos(t), np.sin(t) * rng.uniform(0.5, 0.9)], -1)], rng)


def _spiral(rng: np.random.Generator) -> np.ndarray:
    turns = rng.uniform(2.2, 3.5)
    t = np.linspace(0, 2 * np.pi * turns, int(24 * turns))
    curve = t[:, None] * np.stack([np.cos(t), np.sin(t) * rng.choice((-1, 1))], -1) / t[-1] / 2
    return _traced([curve], rng)


def _traced(curves: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    return _glyph(trace(curves, rng, BUSY_HAND))


def _blob(rng: np.random.Generator) -> np.ndarray:
    """A filled, lobed patch."""
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    radius = np.ones(60)
    for wave in range(2, 6):
        radius += rng.normal(0, 0.4 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * np.pi))
    radius = np.maximum(radius, 0.25)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle) * rng.uniform(0.75, 1.3)], -1)
    points = points - points.min(0)
    points = points / points.max() * (GLYPH_BOX * MULTIPLE - 1)
    ink = np.zeros(np.ceil(points.max(0)).astype(int)[::-1] + 1, np.uint8)
    cv2.fillPoly(ink, [np.rint(points).astype(np.int32)], 255)
    return mnist(ink, GLYPH_SIDE)


def _texture(rng: np.random.Generator) -> np.ndarray:
    """Thresholded noise, or hatching: a patch of ground that was taken for ink."""
    side = GLYPH_BOX * MULTIPLE
    if rng.random() < 0.5:
        field = cv2.GaussianBlur(rng.standard_normal((side, side), np.float32), (0, 0), rng.uniform(3, 8))
        ink = field > np.quantile(field, rng.uniform(0.4, 0.7))
    else:
        y, x = np.mgrid[:side, :side] / side
        waves, angle = rng.uniform(4, 7, 2), rng.uniform(0, np.pi)
        across, along = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        ink = np.sin(2 * np.pi * waves[0] * across) > rng.uniform(-0.2, 0.4)
        if rng.random() < 0.5:
            ink &= np.sin(2 * np.pi * waves[1] * along) > -0.2
    return mnist(ink.astype(np.uint8) * 255, GLYPH_SIDE)


def _fragment(rng: np.random.Generator) -> np.ndarray:
    """Part of a digit, as a wrong cut leaves it."""
    label, side = FRAGMENTS[rng.integers(len(FRAGMENTS))]
    ink = _digit_ink(label, rng)
    height, width = ink.shape
    share = rng.uniform(0.38, 0.52)
    rows, columns = round(height * share), round(width * share)
    parts = {"top": ink[:rows], "bottom": ink[-rows:], "left": ink[:, :columns]}
    return mnist(cropped(parts[side]), GLYPH_SIDE)


def _pair(rng: np.random.Generator) -> np.ndarray:
    """Parts of two neighbours, as a missing cut leaves them."""
    left, right = (_digit_ink(str(rng.integers(10)), rng) for _ in range(2))
    left = left[:, round(left.shape[1] * rng.uniform(0, 0.4)) :]
    right = right[:, : round(right.shape[1] * rng.uniform(0.6, 1))]
    gap = int(rng.integers(-4, 6))
    ink = np.zeros((GLYPH_BOX * MULTIPLE, left.shape[1] + right.shape[1] + max(gap, 0)), np.uint8)
    ink[: left.shape[0], : left.shape[1]] = left
    start = left.shape[1] + gap
    place = ink[: right.shape[0], start : start + right.shape[1]]
    np.maximum(place, right[:, : place.shape[1]], out=place)
    return mnist(cropped(ink), GLYPH_SIDE)


def _digit_ink(label: str, rng: np.random.Generator) -> np.ndarray:
    pairs = [pair for pair in STROKES if pair[0] == label and pair not in RARE]
    writing = write(STROKES[pairs[rng.integers(len(pairs))]], 1, rng, MNIST_HAND, GLYPH_STEPS)
    return inks_of(writing, GLYPH_BOX * MULTIPLE)[0]


_SIGN_PATHS = {name: tuple(parse_stroke(stroke) for stroke in strokes) for name, strokes in SIGNS.items()}
KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "letter": _letter,
    "scribble": _scribble,
    "zigzag": _zigzag,
    "loops": _loops,
    "spiral": _spiral,
    "blob": _blob,
    "texture": _texture,
    "fragment": _fragment,
    "pair": _pair,
    **{name: partial(_sign, name) for name in SIGNS},
}
