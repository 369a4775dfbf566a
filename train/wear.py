"""Wear of a training glyph: uneven light, faint ink, noise, blur, and marks that are no part of the character.

It is for a network whose glyphs come without the runtime's ink extraction, or through a poor camera.  The kinds are
drawn with random amounts, from none to much; they are not those of corruptions.py, by which a network is judged, though
both have light, noise, blur and marks.
"""

from __future__ import annotations

import cv2
import numpy as np

MOST_KINDS = 2  # of wear on one glyph


def worn(images: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A copy of glyphs, (N, H, W) uint8, bright on black, of which a share has one or two kinds of wear."""
    out = images.copy()
    for index in np.flatnonzero(rng.random(len(images)) < share):
        for pick in rng.choice(len(KINDS), rng.integers(1, MOST_KINDS + 1), replace=False):
            out[index] = KINDS[pick](out[index], rng)
    return out


def _light(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The ground is lit, evenly or in clouds from a coarse grid, and the ink keeps what room is left above it, or is
    covered by it."""
    level = rng.uniform(0, 170)
    ground = np.full(image.shape, level, np.float32)
    if rng.random() < 0.7:
        cells = int(rng.integers(2, 9))
        coarse = rng.uniform(0, 1, (cells, cells)).astype(np.float32)
        ground *= 2 * np.asarray(cv2.resize(coarse, image.shape[::-1], interpolation=cv2.INTER_CUBIC))
    if rng.random() < 0.5:
        return _bytes(image + ground)  # clipped
    fade = rng.uniform(0.2, 1)
    return _bytes(fade * image + (1 - fade * image / 255) * ground)


def _faint(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Less contrast."""
    return _bytes(image * rng.uniform(0.15, 0.8))


def _noise(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, grains of light, or pixels that are lost to black and white."""
    kind = rng.integers(3)
    if kind == 0:
        return _bytes(image + rng.normal(0, rng.uniform(5, 70), image.shape))
    if kind == 1:
        grains = rng.uniform(2, 40)
        return _bytes(rng.poisson(image * np.float32(grains / 255)) * (255 / grains))
    lost = rng.random(image.shape) < rng.uniform(0, 0.3)
    return np.where(lost, 255 * rng.integers(0, 2, image.shape), image).astype(np.uint8)


def _blur(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, moved along a line, or scattered."""
    kind = rng.integers(3)
    if kind == 0:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8)), np.uint8)
    if kind == 1:
        reach, turn = rng.uniform(1, 5.5), rng.uniform(0, np.pi)
        side = 2 * int(np.ceil(reach)) + 1
        kernel = np.zeros((side, side), np.float32)
        across, down = np.cos(turn) * reach, np.sin(turn) * reach
        middle = side // 2
        ends = [(round(middle + sign * across), round(middle + sign * down)) for sign in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    scattered, reach = image, rng.uniform(0.5, 2.6)
    rows, columns = np.indices(image.shape, np.float32)
    for _ in range(rng.integers(1, 4)):
        moved = [axis + rng.uniform(-reach, reach, image.shape).astype(np.float32) for axis in (columns, rows)]
        scattered = np.asarray(cv2.remap(scattered, moved[0], moved[1], cv2.INTER_LINEAR))
    return np.asarray(cv2.GaussianBlur(scattered, (0, 0), rng.uniform(0.5, 1.1)), np.uint8)


def _marks(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strokes, whole or broken, and drops of another pen."""
    out = image.copy()
    height, width = image.shape
    if rng.random() < 0.65:
        points = int(rng.integers(2, 12))
        across = np.linspace(rng.uniform(-0.1, 0.4), rng.uniform(0.6, 1.1), points) * width
        down = np.linspace(rng.uniform(0, 1), rng.uniform(0, 1), points) * height + rng.normal(
            0, rng.uniform(0, 3), points
        )
        line = np.stack([across, down] if rng.random() < 0.75 else [down, across], 1)
        mark, broad = np.zeros_like(image), int(rng.choice((1, 1, 2, 3)))
        at = np.rint(16 * line).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(mark, [at], False, int(rng.integers(120, 256)), broad, cv2.LINE_AA, shift=4)
        gap = int(rng.integers(1, 7))
        if gap > 1:  # broken
            mark[:, np.arange(width) % gap > rng.integers(0, gap)] = 0
        return np.asarray(np.maximum(out, mark), np.uint8)
    field = cv2.GaussianBlur(rng.standard_normal(image.shape), (0, 0), rng.uniform(0.8, 2.2))
    drops = (field > np.quantile(field, 1 - rng.uniform(0, 0.2))).astype(np.float32)
    return np.asarray(np.maximum(out, _bytes(rng.uniform(120, 255) * cv2.GaussianBlur(drops, (0, 0), 0.6))), np.uint8)


def _turned_over(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A band, across or down, or all but the band, has dark and bright exchanged."""
    out = image.copy()
    band = out if rng.random() < 0.5 else out.T
    width = int(rng.integers(1, max(2, round(0.7 * band.shape[1]))))
    left = int(rng.integers(0, band.shape[1] - width + 1))
    band[:, left : left + width] = 255 - band[:, left : left + width]
    return out if rng.random() < 0.5 else 255 - out


def _outline(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The inside of a stroke is paler than its edge, down to nothing."""
    edge = cv2.morphologyEx(image, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    share = rng.uniform(0.3, 1)
    return _bytes((1 - share) * image + share * edge)


# named as often as they weigh
KINDS = (
    _light, _light, _faint, _noise, _noise, _blur, _blur, _blur, _marks, _marks, _turned_over, _turned_over, _outline,
)  # fmt: skip


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
