"""Pixels to ink: light divided out, polarity decided, writing marked.

The background is a running median, which follows shadows and vignettes but not strokes; what is darker than it by more
than the paper's own noise is ink.  An image and its negative give the same ink.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .steps import Steps

Pixels = NDArray[np.uint8]

ENLARGE_BELOW = 110  # pixels of the shorter side: a smaller image is doubled, so that thin strokes part cleanly
WORK_SIDE = 800  # pixels of the longer side that ink is looked for at
COLOUR_SIDE = 100  # pixels of the longer side of the sample that a colour channel is chosen by
SAMPLE_SIDE = 150  # pixels of the longer side of the sample that polarity is decided by
MIN_CHROMA = 6  # grey levels between an image's strongest and weakest channel, on average: below it is grey
COLOUR_GAIN = 1.3  # a channel is taken where the writing stands out in it so many times as far as in grey
NOISE_FLOOR = 2.0  # grey levels of noise that any paper is taken to have
SMOOTHING = 0.8  # pixels, Gaussian sigma against sensor noise and JPEG blocks
BACKGROUND_SHARE = 0.25  # of the ink's pixels, each way, are those that the background is estimated at,
BACKGROUND_SIDES = 48, 128  # but so many of the longer side at least and at most
COARSE_WINDOW = 0.45  # of the longer side: the median's window while the pen's width is unknown
WINDOW_STROKES = 6  # stroke widths: its window once the writing is known and left out
MIN_WINDOW = 9  # background pixels
EDGE_MARGIN = 0.02  # of the longer side along the image's edge tells nothing of the background
INK_MARGIN = 2  # pixels around the ink that are no paper either
POLARITY_SHARE = 0.995  # of the deviations from the background, each way, lies below the one that decides
LEVELS = 1024  # of contrast: shares of the ground's light that are missing
MIN_CONTRAST = 15 / 255  # of white: fainter than this is no ink
MAD_TO_SIGMA = 1.4826  # standard deviations a median deviation, of normal noise
NOISE_SIGMAS = 1.5  # standard deviations of the paper's noise that ink must exceed
BLACK_POINT = 16  # grey levels added to the background before dividing, so that dark corners are not all noise
WEAK_SHARE = 0.6  # of the ink's threshold: a pixel this strong is ink where it touches one above the threshold
PEAK_SHARE = 0.9  # of the ink's pixels have less contrast than what becomes 255
DEFAULT_STEPS = Steps()


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


def find_ink(image: Pixels, steps: Steps = DEFAULT_STEPS, side: int = WORK_SIDE) -> Ink:
    """The writing in an image, (H, W) grey or (H, W, 3) BGR uint8, looked for at `side` pixels of its longer side."""
    grey, scale = _working_grey(image, steps, side)
    coarse = _background(grey, COARSE_WINDOW) if steps.light else _paper(grey)
    inverted = steps.polarity and _is_inverted(grey, coarse)
    if inverted:
        grey, coarse = ~grey, ~coarse
    ink = _mark(grey, coarse, scale, inverted)
    if ink.empty or not (steps.light and steps.refine):
        return ink
    window = WINDOW_STROKES * ink.stroke / max(grey.shape)
    if window < COARSE_WINDOW:
        around = cv2.dilate(ink.mask, _square(2 * INK_MARGIN + 1))
        paper = np.where(around > 0, coarse, grey)  # so that dense writing does not darken its own ground
        ink = _mark(grey, _background(paper, window), scale, inverted)
    return ink


def stroke_width(mask: Pixels) -> float:
    """Width in pixels of the pen that made a mask: the distances to its edge rise linearly to half of it."""
    ringed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)  # a mask cut to its ink ends there
    inside = cv2.distanceTransform(ringed, cv2.DIST_L2, 3)[ringed > 0]
    return max(1.0, 4 * float(inside.mean()) - 2) if inside.size else 0.0


def _working_grey(image: Pixels, steps: Steps, side: int) -> tuple[Pixels, float]:
    """The image in grey at the size that ink is looked for, and pixels of it a pixel of the image."""
    scale = min(1.0, side / max(image.shape))
    if min(image.shape[:2]) < ENLARGE_BELOW and 2 * max(image.shape) <= side:
        scale = 2.0
    if image.ndim == 3:
        channel = _best_channel(image) if steps.colour else None
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if channel is None else cv2.extractChannel(image, channel)
        image = np.asarray(grey, np.uint8)
    if scale != 1:
        size = tuple(max(1, round(length * scale)) for length in reversed(image.shape))
        image = _resized(image, size)
    if steps.normalise:
        image = np.asarray(cv2.normalize(image, None, 0, 255, cv2.NORM_MINMAX), np.uint8)  # type: ignore[call-overload]
    if steps.denoise:
        image = np.asarray(cv2.fastNlMeansDenoising(image), np.uint8)
    if steps.sobel:
        across, down = cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1)
        image = np.asarray(cv2.convertScaleAbs(cv2.magnitude(across, down), alpha=0.25), np.uint8)
    return np.asarray(cv2.GaussianBlur(image, (3, 3), SMOOTHING, borderType=cv2.BORDER_REPLICATE), np.uint8), scale


def _resized(image: Pixels, size: tuple[int, ...]) -> Pixels:
    """An image at (width, height): by area where it shrinks, of a whole factor first, which is many times faster."""
    factor = min(length // wanted for length, wanted in zip(image.shape, reversed(size), strict=True))
    if factor > 1:
        rows, columns = (length // factor * factor for length in image.shape)
        image = np.asarray(
            cv2.resize(image[:rows, :columns], (columns // factor, rows // factor), interpolation=cv2.INTER_AREA),
            np.uint8,
        )
    method = cv2.INTER_CUBIC if size[0] > image.shape[1] else cv2.INTER_AREA if factor < 2 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)


def _best_channel(image: Pixels) -> int | None:
    """Blue, green or red, where the writing stands out clearly more than in grey; else None."""
    channels = cv2.split(_sample(image, COLOUR_SIDE))
    strongest, weakest = (operation(operation(*channels[:2]), channels[2]) for operation in (cv2.max, cv2.min))
    if cv2.mean(cv2.subtract(strongest, weakest))[0] < MIN_CHROMA:
        return None
    distinct = [_distinctness(channel) for channel in channels]
    best = int(np.argmax(distinct))
    grey = cv2.cvtColor(cv2.merge(channels), cv2.COLOR_BGR2GRAY)
    return best if distinct[best] > COLOUR_GAIN * _distinctness(grey) else None


def _sample(image: Any, side: int) -> Pixels:
    """Every n-th pixel each way, about `side` along the longer one: thin strokes keep their contrast."""
    step = max(1, round(max(image.shape[:2]) / side))
    return np.ascontiguousarray(image[::step, ::step])


def _distinctness(values: Any) -> float:
    """How far the writing's grey lies from the paper's, in the paper's own spread."""
    counts = _histogram(values)
    middle = _quantile(counts, 0.5)
    away = np.bincount(np.abs(np.arange(len(counts)) - middle), counts).astype(np.float64)
    return float(_quantile(away, POLARITY_SHARE) / (NOISE_FLOOR + _quantile(away, 0.5)))


def _paper(grey: Pixels) -> Pixels:
    """One grey for all of the paper: the image's median."""
    return np.full_like(grey, _quantile(_histogram(grey), 0.5))


def _background(grey: Any, window: float) -> Pixels:
    """The ground under the writing: a median over `window` of the longer side, of a sample of the pixels; brought back
    to full size."""
    low, high = BACKGROUND_SIDES
    small = _sample(grey, round(min(max(BACKGROUND_SHARE * max(grey.shape), low), high)))
    margin = min(round(EDGE_MARGIN * max(small.shape)), (min(small.shape) - 1) // 2)
    if margin:  # a frame is not the ground of what lies beyond the image, as the median takes it
        small = np.pad(small[margin:-margin, margin:-margin], margin, mode="edge")
    reach = int(max(MIN_WINDOW, window * max(small.shape)) / 2)
    small = np.asarray(cv2.medianBlur(small, min(2 * reach + 1, 255)), np.uint8)
    return np.asarray(cv2.resize(small, grey.shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _is_inverted(grey: Pixels, background: Pixels) -> bool:
    """Whether what stands out most from the ground is brighter than it."""
    ground, sample = _sample(background, SAMPLE_SIDE), _sample(grey, SAMPLE_SIDE)
    darker, brighter = (_histogram(cv2.subtract(*pair)) for pair in ((ground, sample), (sample, ground)))
    return _quantile(brighter, POLARITY_SHARE) > _quantile(darker, POLARITY_SHARE)


def _mark(grey: Any, background: Any, scale: float, inverted: bool) -> Ink:
    """Dark writing on its background, as Ink."""
    darkness = cv2.subtract(background, grey)
    # of 0 to LEVELS - 1: the share of the ground's light that is missing
    contrast = cv2.divide(darkness, cv2.add(background, BLACK_POINT, dtype=cv2.CV_16U), None, LEVELS - 1, cv2.CV_16U)  # type: ignore[call-overload]
    counts = _histogram(_sample(contrast, SAMPLE_SIDE), LEVELS)
    above = np.concatenate([[0], counts[1:]])
    top = int(np.flatnonzero(counts)[-1])
    noise = MAD_TO_SIGMA * _quantile(above, 0.5)
    floor = max(MIN_CONTRAST * (LEVELS - 1), min(NOISE_SIGMAS * noise, 0.5 * top))
    nothing = np.zeros(grey.shape, np.uint8)
    if top <= floor:
        return Ink(nothing, nothing, 0.0, scale, inverted)
    threshold = _otsu(counts, int(floor), top)
    weak = (contrast > max(floor, WEAK_SHARE * threshold)).view(np.uint8)
    x, y, width, height = cv2.boundingRect(weak)
    place = slice(y, y + height), slice(x, x + width)  # most of a photo is paper
    mask, soft = nothing, nothing.copy()
    mask[place] = _connected_to(weak[place], contrast[place] > threshold)
    if not mask.any():
        return Ink(nothing, nothing, 0.0, scale, inverted)
    peak = _quantile(_histogram(contrast[place], LEVELS, mask[place]), PEAK_SHARE)
    soft[place] = cv2.convertScaleAbs(contrast[place], alpha=255 / peak) * mask[place]
    return Ink(soft, mask, stroke_width(mask[place]), scale, inverted)


def _histogram(values: Any, levels: int = 256, mask: Any = None) -> NDArray[np.float64]:
    """Counts (levels,) of an array of uint8 or uint16."""
    values = np.ascontiguousarray(values)
    mask = None if mask is None else np.ascontiguousarray(mask)
    return np.asarray(
        cv2.calcHist([values], [0], mask, [levels], [0, levels]).ravel(), np.float64
    )  # a column, in OpenCV 4


def _quantile(counts: NDArray[np.float64], share: float) -> int:
    """The least level that `share` of a histogram does not exceed; 0 of an empty one."""
    reached = np.cumsum(counts)
    return int(np.searchsorted(reached, share * reached[-1])) if reached[-1] else 0


def _otsu(counts: NDArray[np.float64], floor: int, top: int) -> float:
    """Otsu's threshold (1979) among the levels above the floor: half way up the flank of a stroke."""
    levels = np.arange(floor + 1, top + 1)
    weights = counts[floor + 1 : top + 1]
    below, moments = np.cumsum(weights), np.cumsum(weights * levels)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (moments[-1] * below - moments * below[-1]) ** 2 / (below * above)
    between[~np.isfinite(between)] = -1
    best = np.flatnonzero(between == between.max())
    return float(levels[best].mean())


def _connected_to(weak: Any, strong: NDArray[np.bool_]) -> Pixels:
    """The pieces of `weak` that hold a pixel of `strong` (hysteresis), 0 or 1."""
    count, labels = cv2.connectedComponents(weak, connectivity=8)
    keep = np.zeros(count, np.uint8)
    keep[labels[strong]] = 1
    keep[0] = 0
    return np.asarray(keep[labels], np.uint8)


def _square(side: int) -> Pixels:
    return np.ones((side, side), np.uint8)
