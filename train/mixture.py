"""What a set of digits is mixed with in training: styles that it lacks, and glyphs that are no character.

Both are made, from pen strokes and from the set's own training glyphs; no image of another set is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..runtime.errors import TrainingError
from ..runtime.glyph import mnist
from .augment import augmentation_of
from .batches import Batches, one_hot
from .datasets import Dataset, natural_geometry
from .scribbles import scribbles
from .strokes import GLYPH_BOX, GLYPH_SIDE, Hand, cropped, digit_glyphs

DIGITS = tuple("0123456789")
DRAWN_HAND = Hand(slant=(0.1, 0.22), aspect=0.18, pen=(0.112, 0.034))  # a wider range of hands than MNIST's own
TOUCHED_SHARE = 0.3  # of the drawn digits: a neighbour's edge is left in the glyph
TORN_SHARE = 0.5  # of the outliers: torn from the set's own glyphs; the rest is drawn
GAP = (-4, 5)  # glyph pixels between two glyphs of a pair, lowest and highest
# halves of digits that look like no digit: label and the side that is kept
TORN = (
    (0, "top"), (0, "bottom"), (2, "bottom"), (3, "top"), (3, "bottom"), (4, "left"), (5, "bottom"), (8, "left"),
    (9, "left"), (6, "right"),
)  # fmt: skip


def drawn_digits(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Digits in every style of styles.py, some with a neighbour's edge: (N, 28, 28) uint8 and labels (N,) int64."""
    images, labels = digit_glyphs(count, rng, hand=DRAWN_HAND)
    for index in np.flatnonzero(rng.random(count) < TOUCHED_SHARE):
        share = rng.uniform(0.08, 0.22)
        images[index] = _beside(cropped(images[index]), cropped(images[rng.integers(count)]), share, (-1, 3), rng)
    return images, labels


def outliers(count: int, digits: Dataset, rng: np.random.Generator) -> np.ndarray:
    """Glyphs that are no digit, (N, 28, 28) uint8 in MNIST's geometry: scribbles, letters, signs, and what is torn
    from `digits`: two beside or above each other, and halves."""
    torn = round(count * TORN_SHARE)
    makers = (_pair, _pair, _rolled, _half)
    made = [makers[pick](digits, rng) for pick in rng.integers(len(makers), size=torn)]
    return np.concatenate([scribbles(count - torn, rng), *[image[None] for image in made]])


def check_digits(dataset: Dataset) -> None:
    """Raise TrainingError where a data set is no set of the ten digits in MNIST's size."""
    if dataset.classes != DIGITS or dataset.input_shape != (GLYPH_SIDE, GLYPH_SIDE, 1):
        size = " × ".join(map(str, dataset.input_shape))
        raise TrainingError(
            f"{dataset.name}: {len(dataset.classes)} classes of {size}; drawn digits, outliers and lines are made "
            f"with the digits 0 to 9 in {GLYPH_SIDE} × {GLYPH_SIDE} × 1"
        )


def mixed(digits: Dataset, drawn: float, junk: float, seed: int) -> tuple[Dataset, np.ndarray]:
    """A set with drawn digits added, and outliers beside it, (N, 28, 28) uint8; each a share of the set's size."""
    if not (drawn or junk):
        return digits, np.empty((0, *digits.images.shape[1:]), np.uint8)
    check_digits(digits)
    rng = np.random.default_rng((seed, len(digits)))
    images, labels = drawn_digits(round(drawn * len(digits)), rng)
    others = outliers(round(junk * len(digits)), digits, rng)
    grown = replace(
        digits, images=np.concatenate([digits.images, images]), labels=np.concatenate([digits.labels, labels])
    )
    return grown, others


def mixed_batches(part: Dataset, settings: Mapping[str, Any], seed: int) -> Batches:
    """Batches of a training part with what it is mixed with; an outlier's target is all zeros.

    settings: batch_size, augment, geometry, drawn and outliers, of a TrainingConfig or of a card; none must be there.
    """
    grown, others = mixed(part, float(settings.get("drawn", 0)), float(settings.get("outliers", 0)), seed)
    targets = one_hot(grown.labels, len(part.classes))
    return Batches(
        np.concatenate([grown.images, others]),
        np.concatenate([targets, np.zeros((len(others), targets.shape[1]), np.float32)]),
        int(settings.get("batch_size", 128)),
        augmentation_of(str(settings.get("augment", "none")), settings.get("geometry") or natural_geometry(part)),
        seed,
    )


def _any(digits: Dataset, rng: np.random.Generator) -> np.ndarray:
    return cropped(digits.images[rng.integers(len(digits))])


def _beside(
    ink: np.ndarray, neighbour: np.ndarray, share: float, gaps: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """A glyph of an ink with the nearer `share` of a neighbour's width left or right of it, a gap of `gaps` pixels
    between them (below 0: they overlap)."""
    columns = max(1, round(neighbour.shape[1] * share))
    left, right = (ink, neighbour[:, :columns]) if rng.random() < 0.5 else (neighbour[:, -columns:], ink)
    height = max(left.shape[0], right.shape[0])
    gap = max(int(rng.integers(*gaps)), 1 - left.shape[1], 1 - right.shape[1])
    both = np.zeros((height, left.shape[1] + right.shape[1] + gap), np.uint8)
    for part, at in ((left, 0), (right, left.shape[1] + gap)):
        top = (height - part.shape[0]) // 2
        place = both[top : top + part.shape[0], at : at + part.shape[1]]
        np.maximum(place, part, out=place)
    return mnist(cropped(both), GLYPH_SIDE)


def _pair(digits: Dataset, rng: np.random.Generator) -> np.ndarray:
    """Two neighbours, or one and half of the other, as a missing cut leaves them."""
    share = 1.0 if rng.random() < 0.5 else rng.uniform(0.5, 0.9)
    return _beside(_any(digits, rng), _any(digits, rng), share, GAP, rng)


def _rolled(digits: Dataset, rng: np.random.Generator) -> np.ndarray:
    """The lower part of one digit above the upper part of another, as on a meter's rolls."""
    upper, lower = _any(digits, rng), _any(digits, rng)
    share = rng.uniform(0.3, 0.7)
    rows = round(GLYPH_BOX * share)
    upper, lower = upper[-rows:], lower[: max(1, GLYPH_BOX - rows)]
    gap, width = int(rng.integers(2, 6)), max(upper.shape[1], lower.shape[1])
    ink = np.zeros((upper.shape[0] + gap + lower.shape[0], width), np.uint8)
    for part, top in ((upper, 0), (lower, upper.shape[0] + gap)):
        left = (width - part.shape[1]) // 2
        ink[top : top + part.shape[0], left : left + part.shape[1]] = part
    return mnist(cropped(ink), GLYPH_SIDE)


def _half(digits: Dataset, rng: np.random.Generator) -> np.ndarray:
    """Half of a digit, as a wrong cut leaves it."""
    label, side = TORN[rng.integers(len(TORN))]
    members = digits.members[DIGITS[label]]
    if not len(members):
        return _rolled(digits, rng)
    ink = cropped(digits.images[members[rng.integers(len(members))]])
    share = rng.uniform(0.4, 0.52)
    rows, columns = max(2, round(ink.shape[0] * share)), max(2, round(ink.shape[1] * share))
    parts = {"top": ink[:rows], "bottom": ink[-rows:], "left": ink[:, :columns], "right": ink[:, -columns:]}
    return mnist(cropped(parts[side]), GLYPH_SIDE)
