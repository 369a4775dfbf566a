"""A region becomes a glyph: the network's input, by the geometry that its training images were made with.

`mnist` and `emnist` take ink (bright on black) and place it; `stretch`, `fit` and `crop` take the whole image, for
classifiers of anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

MNIST_BOX = 20 / 28  # the character's longer side, share of the glyph's (LeCun et al. 1998, section III-A)
EMNIST_SIDE = 128  # pixels of the binary image that EMNIST starts from (Cohen et al. 2017, section II)
EMNIST_SIGMA = 1.0  # pixels at that size
EMNIST_BORDER = 2 / 28  # border each side, share of the glyph's
MIN_STROKE = 1.9  # glyph pixels: a thinner pen is thickened to this before scaling; MNIST's own strokes have 2 to 3
PEAK_SHARE = 0.98  # of the ink's pixels are darker than what becomes 255, so that pencil is as bright as marker


def mnist(ink: Pixels, side: int, stroke: float = 0.0) -> Pixels:
    """Scaled into a box of 20/28 of the side, aspect kept, centre of mass at the glyph's centre.

    ink: (h, w) uint8, bright on black, cropped to the ink.  stroke: its pen's width in pixels, 0 where unknown.
    Returns (side, side) uint8.
    """
    box = side * MNIST_BOX
    ink = thickened(ink, stroke, max(ink.shape) / box)
    size = tuple(max(1, round(length * box / max(ink.shape))) for length in reversed(ink.shape))
    small = with_bright_ink(resample(ink, size))
    height, width = small.shape
    moments = cv2.moments(small)
    mass = moments["m00"] or 1.0
    left = round(side / 2 - moments["m10"] / mass - 0.5)
    top = round(side / 2 - moments["m01"] / mass - 0.5)
    left, top = min(max(left, 0), side - width), min(max(top, 0), side - height)
    glyph = np.zeros((side, side), np.uint8)
    glyph[top : top + height, left : left + width] = small
    return glyph


def emnist(ink: Pixels, side: int, stroke: float = 0.0) -> Pixels:
    """EMNIST's conversion: 128×128, Gaussian, centred in a square with aspect kept, 2-pixel border, bicubic.

    As `mnist` otherwise.
    """
    ink = thickened(ink, stroke, max(ink.shape) / (side * (1 - 2 * EMNIST_BORDER)))
    size = tuple(max(1, round(length * EMNIST_SIDE / max(ink.shape))) for length in reversed(ink.shape))
    square = _centre(resample(ink, size), EMNIST_SIDE)
    blurred = cv2.GaussianBlur(square, (0, 0), EMNIST_SIGMA)
    border = round(side * EMNIST_BORDER)
    inner = cv2.resize(blurred, (side - 2 * border,) * 2, interpolation=cv2.INTER_AREA)
    glyph = cv2.copyMakeBorder(inner, border, border, border, border, cv2.BORDER_CONSTANT, value=0)
    return with_bright_ink(np.asarray(glyph, np.uint8))


FROM_INK: dict[str, Callable[..., Pixels]] = {"mnist": mnist, "emnist": emnist}  # by the geometry


def fit_to_shape(image: Pixels, shape: Sequence[int], geometry: str = "stretch") -> Pixels:
    """The whole image at the size and with the channels that a classifier takes.

    image: (H, W) or BGR (H, W, 3) uint8.  shape: (height, width, channels).
    geometry: 'stretch' to the size; 'fit' inside it with the edge's grey around; 'crop' to its aspect first.
    Returns (height, width) or BGR (height, width, 3) uint8.
    """
    height, width, channels = shape
    if channels == 1 and image.ndim == 3:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    elif channels == 3 and image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), np.uint8)
    rows, columns = image.shape[:2]
    if geometry == "crop":
        share = min(rows / height, columns / width)
        keep_rows, keep_columns = max(1, round(height * share)), max(1, round(width * share))
        top, left = (rows - keep_rows) // 2, (columns - keep_columns) // 2
        image = image[top : top + keep_rows, left : left + keep_columns]
    elif geometry == "fit":
        share = min(height / rows, width / columns)
        inner = resample(image, (max(1, round(columns * share)), max(1, round(rows * share))))
        above, before = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
        below, after = height - inner.shape[0] - above, width - inner.shape[1] - before
        return np.asarray(cv2.copyMakeBorder(inner, above, below, before, after, cv2.BORDER_REPLICATE), np.uint8)
    return resample(image, (width, height))


def resample(image: Pixels, size: Sequence[int]) -> Pixels:
    """Resize to (width, height): area where it shrinks, so that thin strokes are kept, linear where it grows."""
    width, height = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = width < image.shape[1] or height < image.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=method), np.uint8)


def thickened(ink: Pixels, stroke: float, shrink: float) -> Pixels:
    """Dilate a pen's line so that it is MIN_STROKE wide once the ink is `shrink` times smaller; it grows by as much on
    every side.  stroke: its width in pixels, 0 where unknown."""
    missing = MIN_STROKE * shrink - stroke
    if stroke <= 0 or missing < 1:
        return ink
    reach = round(missing / 2)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    room = cv2.copyMakeBorder(ink, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.dilate(room, kernel), np.uint8)


def _centre(image: Pixels, side: int) -> Pixels:
    square = np.zeros((side, side), np.uint8)
    height, width = image.shape
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    return square


def with_bright_ink(glyph: Pixels) -> Pixels:
    """The same ink, its darkest at 255."""
    lit = np.sort(glyph[glyph > 0])
    if lit.size == 0:
        return glyph
    peak = max(1, int(lit[int(PEAK_SHARE * (lit.size - 1))]))
    return np.asarray(cv2.convertScaleAbs(glyph, alpha=255 / peak), np.uint8)
