"""Pixels to ink: light divided out, polarity decided, writing marked.

The background is a running median, which follows shadows and vignettes but not strokes; what is darker than it by more
than the paper's own noise is ink.  An image and its negative give the same ink.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

ENLARGE_BELOW = 110  # pixels of the shorter side: a smaller image is doubled, so that thin strokes part cleanly
WORK_SIDE = 800  # pixels of the longer side that ink is looked for at
SMOOTHING = 0.8  # pixels, Gaussian sigma against sensor noise and JPEG blocks
BACKGROUND_SIDE = 128  # pixels of the longer side that the background is estimated at
COARSE_WINDOW = 0.45  # of that side: the median's window while the pen's width is unknown
WINDOW_STROKES = 6  # stroke widths: its window once the pen is known; under half of it must be ink
MIN_WINDOW = 9  # background pixels
POLARITY_PERCENTILE = 99.5  # of the deviations from the background, each way
MIN_CONTRAST = 15 / 255  # of white: fainter than this is no ink
NOISE_SIGMAS = 2.0  # standard deviations of the paper's noise that ink must exceed
BLACK_POINT = 16.0  # grey levels added to the background before dividing, so that dark corners are not all noise
WEAK_SHARE = 0.6  # of the ink's threshold: a pixel this strong is ink where it touches one above the threshold
RULE_STROKES = 8  # stroke widths: a straight horizontal line this long may be a printed rule
RULE_SPAN = 0.3  # of the image's width, which it must span as well
RULE_THICKNESS = 2.2  # stroke widths at most, on average
PEAK_PERCENTILE = 90  # of the ink's contrast: becomes 255


@dataclass(frozen=True)
class Ink:
    """The writing found in an image.

    soft: (H, W) uint8, its darkness, 0 outside of `mask`.  mask: (H, W) uint8, 0 or 1.  stroke: the pen's width in
    pixels of these arrays, 0 where nothing was found.  scale: pixels of these arrays a pixel of the image.
    inverted: the writing is brighter than its ground.
    """

    soft: Pixels
    mask: Pixels
    stroke: float
    scale: float
    inverted: bool

    @property
    def empty(self) -> bool:
        """No ink at all."""
        return self.stroke == 0


def find_ink(image: Pixels) -> Ink:
    """The writing in an image, (H, W) grey or (H, W, 3) BGR uint8."""
    grey, scale = _working_grey(image)
    coarse = _background(grey, COARSE_WINDOW * BACKGROUND_SIDE)
    inverted = _is_inverted(grey, coarse)
    if inverted:
        grey, coarse = 255 - grey, 255 - coarse
    ink = _mark(grey, coarse, scale, inverted)
    if ink.empty:
        return ink
    window = max(MIN_WINDOW, WINDOW_STROKES * ink.stroke * BACKGROUND_SIDE / max(grey.shape))
    if window < COARSE_WINDOW * BACKGROUND_SIDE:
        ink = _mark(grey, _background(grey, window), scale, inverted)
    return ink


def without_rules(ink: Ink) -> Ink:
    """The ink without printed horizontal rules: long thin lines that leave the image at a side.

    Where a stroke crosses a rule, the rule's pixels stay, so that the stroke is not cut.
    """
    columns = ink.mask.shape[1]
    length = int(max(RULE_SPAN * columns, RULE_STROKES * ink.stroke))
    if ink.empty or length >= columns:
        return ink
    bridged = cv2.morphologyEx(ink.mask, cv2.MORPH_CLOSE, np.ones((1, 2 * int(ink.stroke) + 1), np.uint8))
    straight = cv2.morphologyEx(bridged, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    candidates = cv2.bitwise_and(cv2.dilate(straight, np.ones((3, 3), np.uint8)), ink.mask)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    mask = ink.mask.copy()
    for index in range(1, count):
        x, _, width, _, area = (int(value) for value in stats[index])
        at_a_side = x <= 1 or x + width >= columns - 1
        if not at_a_side or area > (RULE_THICKNESS * ink.stroke + 2) * width:
            continue
        rule = labels == index
        above = np.roll(ink.mask, 1, 0) + np.roll(ink.mask, 2, 0)
        below = np.roll(ink.mask, -1, 0) + np.roll(ink.mask, -2, 0)
        outside = ~rule
        # a column is crossed where there is ink right above and right below the rule
        crossed = ((above > 0) & rule & np.roll(outside, 1, 0)).any(0) & (
            (below > 0) & rule & np.roll(outside, -1, 0)
        ).any(0)
        mask[rule & ~crossed] = 0
    return replace(ink, soft=ink.soft * mask, mask=mask)


def stroke_width(mask: Pixels) -> float:
    """Width in pixels of the pen that made a mask: the distances to its edge rise linearly to half of it."""
    ringed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)  # a mask cut to its ink ends there
    inside = cv2.distanceTransform(ringed, cv2.DIST_L2, 3)[ringed > 0]
    return max(1.0, 4 * float(inside.mean()) - 2) if inside.size else 0.0


def _working_grey(image: Pixels) -> tuple[Pixels, float]:
    if image.ndim == 3:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    scale = min(1.0, WORK_SIDE / max(image.shape))
    if min(image.shape) < ENLARGE_BELOW and 2 * max(image.shape) <= WORK_SIDE:
        scale = 2.0
    if scale != 1:
        size = tuple(max(1, round(side * scale)) for side in reversed(image.shape))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
    return np.asarray(cv2.GaussianBlur(image, (3, 3), SMOOTHING, borderType=cv2.BORDER_REPLICATE), np.uint8), scale


def _background(grey: Pixels, window: float) -> Pixels:
    """The ground under the writing: a median over `window` pixels of BACKGROUND_SIDE, brought back to full size."""
    share = min(1.0, BACKGROUND_SIDE / max(grey.shape))
    size = tuple(max(1, round(side * share)) for side in reversed(grey.shape))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(small, min(2 * int(window / 2) + 1, 255))
    return np.asarray(cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _is_inverted(grey: Pixels, background: Pixels) -> bool:
    """Whether what stands out most from the ground is brighter than it."""
    difference = background.astype(np.int16) - grey
    dark, bright = np.percentile(difference, [POLARITY_PERCENTILE, 100 - POLARITY_PERCENTILE])
    return bool(-bright > dark)


def _mark(grey: Pixels, background: Pixels, scale: float, inverted: bool) -> Ink:
    """Dark writing on its background, as Ink."""
    ground = background.astype(np.float32)
    contrast: Floats = np.maximum(ground - grey, 0) / (ground + BLACK_POINT)
    noise = 1.4826 * float(np.median(contrast[contrast > 0])) if (contrast > 0).any() else 0.0
    floor = max(MIN_CONTRAST, min(NOISE_SIGMAS * noise, 0.5 * float(contrast.max())))
    threshold = _otsu(contrast[contrast > floor], floor)
    nothing = np.zeros_like(grey)
    if threshold is None:
        return Ink(nothing, nothing, 0.0, scale, inverted)
    weak = (contrast > max(floor, WEAK_SHARE * threshold)).astype(np.uint8)
    mask = _connected_to(weak, contrast > threshold)
    peak = float(np.percentile(contrast[mask > 0], PEAK_PERCENTILE))
    soft = np.asarray(cv2.convertScaleAbs(contrast, alpha=255 / peak), np.uint8) * mask
    return Ink(soft, mask, stroke_width(mask), scale, inverted)


def _otsu(values: Floats, floor: float) -> float | None:
    """Otsu's threshold among the values above the floor: half way up the flank of a stroke."""
    if values.size == 0:
        return None
    top = float(values.max())
    levels = np.clip((values - floor) * (255 / max(top - floor, 1e-6)), 0, 255).astype(np.uint8)
    level, _ = cv2.threshold(levels.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return floor + float(level) / 255 * (top - floor)


def _connected_to(weak: Pixels, strong: NDArray[np.bool_]) -> Pixels:
    """The pieces of `weak` that hold a pixel of `strong` (hysteresis)."""
    count, labels = cv2.connectedComponents(weak, connectivity=8)
    keep = np.zeros(count, np.uint8)
    keep[np.unique(labels[strong])] = 1
    keep[0] = 0
    return np.asarray(keep[labels], np.uint8)
