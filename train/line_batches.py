"""Batches of lines: distorted, padded to one width, and the same for the same (seed, epoch, step)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ..runtime.errors import DatasetError
from ..runtime.strip import WIDTH_STEP, padded
from .lines import Lines

BLANK = 0  # CTC's blank; the characters follow
WINDOW = 40  # batches whose lines are sorted by width
FRAME = 4  # columns of a frame of the line architectures


@dataclass(frozen=True)
class LineAugmentation:
    """How far each distortion of a strip may go, uniformly.  All 0: none."""

    stretch: float = 0.0  # logarithm of the width
    scale: float = 0.0  # logarithm of both sides
    shear: float = 0.0  # horizontal shift per row
    shift: float = 0.0  # rows
    thickness: float = 0.0  # 1: up to a full 3×3 dilation or erosion
    fade: float = 0.0  # share of the ink's brightness

    def __call__(self, strip: np.ndarray, stretch: float, rng: np.random.Generator) -> np.ndarray:
        """A distorted copy (STRIP_HEIGHT, w × stretch) uint8."""
        height, width = strip.shape
        scale, shear = np.exp(rng.uniform(-self.scale, self.scale)), rng.uniform(-self.shear, self.shear)
        shift, thickness, fade = (rng.uniform(-bound, bound) for bound in (self.shift, self.thickness, self.fade))
        across = stretch * scale
        middle = height / 2
        extra = round(abs(shear) * height)
        matrix = np.array(
            [[across, shear * scale, extra / 2 - shear * scale * middle], [0, scale, middle - scale * middle + shift]]
        )
        size = max(FRAME, round(width * across) + extra), height
        image = cv2.warpAffine(strip, matrix, size, flags=cv2.INTER_LINEAR if across > 0.7 else cv2.INTER_AREA)
        if thickness:
            other = (cv2.dilate if thickness > 0 else cv2.erode)(image, _CROSS)
            share = thickness if thickness > 0 else -0.6 * thickness  # erosion wipes out a thin stroke
            image = cv2.addWeighted(image, 1 - share, other, share, 0)
        return np.asarray(cv2.convertScaleAbs(image, alpha=1 - abs(fade)), np.uint8)


_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
LINE_AUGMENTATIONS = {
    "none": LineAugmentation(),
    "mild": LineAugmentation(stretch=0.12, scale=0.05, shear=0.08, shift=1, thickness=0.3, fade=0.1),
    "medium": LineAugmentation(stretch=0.25, scale=0.1, shear=0.15, shift=2, thickness=0.6, fade=0.2),
    "strong": LineAugmentation(stretch=0.35, scale=0.15, shear=0.25, shift=3, thickness=0.9, fade=0.3),
}


class LineBatches:
    """Batches of (images (B, STRIP_HEIGHT, W, 1) float32 in [0, 255], labels (B, L) int32).

    A label is the number of its class, from 1 on, and 0 after the text's end.  Lines of about one width share a batch;
    the first two batches of an epoch are the narrowest and the widest of theirs, from which Keras learns that the width
    is open.  So that there are two, a batch holds at most half of the lines.
    """

    def __init__(self, lines: Lines, batch_size: int, augmentation: LineAugmentation, seed: int) -> None:
        self.lines, self.augmentation, self.seed = lines, augmentation, seed
        self.batch_size = min(batch_size, -(-len(lines) // 2))
        self.labels = encode(lines)
        self._widths = np.array([strip.shape[1] for strip in lines.strips])

    def __len__(self) -> int:
        return -(-len(self.lines) // self.batch_size)

    def order(self, epoch: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """The epoch's batches: numbers of their lines, and how far each is stretched."""
        rng = np.random.default_rng((self.seed, epoch))
        shuffled = rng.permutation(len(self.lines))
        stretch = np.exp(rng.uniform(-self.augmentation.stretch, self.augmentation.stretch, len(self.lines)))
        widths = self._widths * stretch
        batches: list[np.ndarray] = []
        window = WINDOW * self.batch_size
        for start in range(0, len(shuffled), window):
            part = shuffled[start : start + window]
            part = part[np.argsort(widths[part], kind="stable")]
            batches += [part[i : i + self.batch_size] for i in range(0, len(part), self.batch_size)]
        batches = [batches[i] for i in rng.permutation(len(batches))]
        widest = [float(widths[batch].max()) for batch in batches]
        if len(batches) > 1:
            low, high = int(np.argmin(widest)), int(np.argmax(widest))
            rest = [batch for i, batch in enumerate(batches) if i not in (low, high)]
            batches = [batches[low], batches[high], *rest]
        return [(batch, stretch[batch]) for batch in batches]

    def batch(self, order: list[tuple[np.ndarray, np.ndarray]], epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of one step of an epoch; `order` is `order(epoch)`."""
        chosen, stretch = order[step]
        rng = np.random.default_rng((self.seed, epoch, step + 1))
        strips = [self.lines.strips[i] for i in chosen]
        if any(vars(self.augmentation).values()):
            strips = [self.augmentation(s, float(f), rng) for s, f in zip(strips, stretch, strict=True)]
        images = padded(strips)
        if step < 2 and len(order) > 1:  # the same width would be taken for a fixed one
            images = np.pad(images, [(0, 0), (0, 0), (0, WIDTH_STEP * step), (0, 0)])
        return images.astype(np.float32), self.labels[chosen]

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All batches of one epoch."""
        order = self.order(epoch)
        return (self.batch(order, epoch, step) for step in range(len(self)))


def encode(lines: Lines) -> np.ndarray:
    """(N, L) int32: the texts by number of their characters' classes, from 1 on; 0 after their end."""
    numbers = {label: number for number, label in enumerate(lines.classes, 1)}
    encoded = np.zeros((len(lines), max(1, *map(len, lines.texts))), np.int32)
    for row, text in zip(encoded, lines.texts, strict=True):
        row[: len(text)] = [numbers[character] for character in text]
    return encoded


def without_too_long(lines: Lines, stretch: float) -> tuple[Lines, list[str]]:
    """The lines whose texts fit their frames at the narrowest, and the texts of the others.

    CTC needs a frame for each character and one between two that are equal.  Raises DatasetError where none fits.
    """
    fits = np.array(
        [
            len(text) + sum(a == b for a, b in itertools.pairwise(text)) <= strip.shape[1] * np.exp(-stretch) // FRAME
            for strip, text in zip(lines.strips, lines.texts, strict=True)
        ]
    )
    if not fits.any():
        raise DatasetError(f"{lines.name}: no line is wide enough for its text, {FRAME} columns a character")
    others = [text for text, fit in zip(lines.texts, fits, strict=True) if not fit]
    return lines.subset(np.flatnonzero(fits)), others
