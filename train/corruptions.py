"""What may happen to a glyph on its way to a network: the fifteen corruptions of MNIST-C (Mu and Gilmer 2019), written
anew from the paper's descriptions, and the strokes' thickness and contrast; each at five severities.

Where the paper takes a corruption over from ImageNet-C (Hendrycks and Dietterich 2019) the steps are those of its
table, for images of 28 × 28.  The paper's own set has one severity of each kind: the one here that comes closest is in
OF_MNIST_C.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..runtime.errors import DatasetError

SEVERITIES = (1, 2, 3, 4, 5)

Corrupt = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def corrupted(images: np.ndarray, name: str, severity: int, seed: int = 0) -> np.ndarray:
    """A corrupted copy of glyphs, (N, H, W) uint8, bright on black; severity 1 to 5.  Seeded: image by image the same.

    Raises DatasetError for an unknown name or severity, or images of another kind.
    """
    if name not in CORRUPTIONS:
        raise DatasetError(f"corruption {name!r}; wanted one of {', '.join(CORRUPTIONS)}")
    if severity not in SEVERITIES:
        raise DatasetError(f"severity {severity}; wanted 1 to {SEVERITIES[-1]}")
    if images.ndim != 3 or images.dtype != np.uint8:
        raise DatasetError(f"images of {images.dtype} {images.shape}; wanted grey uint8 (N, H, W)")
    rng = np.random.default_rng([seed, *name.encode(), severity])
    return np.stack([CORRUPTIONS[name](image, severity - 1, rng) for image in images]) if len(images) else images


# --- noise -----------------------------------------------------------------------------------------------------------


def shot_noise(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Grains of light: Poisson, of so many photons for a white pixel."""
    photons = (60, 25, 12, 5, 3)[level]
    return _bytes(rng.poisson(image / 255 * photons) * (255 / photons))


def impulse_noise(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Salt and pepper on a share of the pixels."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[level]
    drawn = rng.random(image.shape)
    return np.where(drawn < share / 2, 0, np.where(drawn < share, 255, image)).astype(np.uint8)


# --- blur ------------------------------------------------------------------------------------------------------------


def glass_blur(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """As through frosted glass: blurred, pixels exchanged with neighbours, blurred again."""
    sigma, reach, times = ((0.7, 1, 1), (0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2))[level]
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    rows, columns = np.indices(image.shape)
    for _ in range(times):
        moved = [
            np.clip(place + rng.integers(-reach, reach + 1, image.shape), 0, side - 1)
            for place, side in zip((rows, columns), image.shape, strict=True)
        ]
        blurred = blurred[moved[0], moved[1]]
    return np.asarray(cv2.GaussianBlur(blurred, (0, 0), sigma), np.uint8)


def motion_blur(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """The camera moved, along a line that leans up to 45 degrees, so many pixels."""
    length = (3, 5, 7, 9, 11)[level]
    angle = np.radians(rng.uniform(-45, 45))
    kernel = np.zeros((length, length), np.float32)
    middle, dx, dy = length // 2, np.cos(angle) * (length // 2), np.sin(angle) * (length // 2)
    ends = [(round(middle - dx), round(middle - dy)), (round(middle + dx), round(middle + dy))]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


# --- geometry --------------------------------------------------------------------------------------------------------


def shear(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Leaned to either side, so much of its height."""
    return _affine(image, [[1, _sign(rng) * (0.2, 0.3, 0.4, 0.5, 0.6)[level]], [0, 1]])


def scale(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Made smaller."""
    factor = (0.9, 0.8, 0.7, 0.6, 0.5)[level]
    return _affine(image, [[factor, 0], [0, factor]])


def rotate(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Turned either way by 10 to 50 degrees."""
    angle = np.radians(_sign(rng) * (10, 23, 30, 40, 50)[level])
    return _affine(image, [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def translate(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Moved by so many pixels along both axes."""
    pixels = (1, 2, 3, 4, 5)[level]
    return _affine(image, [[1, 0], [0, 1]], (_sign(rng) * pixels, _sign(rng) * pixels))


# --- light -----------------------------------------------------------------------------------------------------------


def brightness(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """The ground is grey instead of black."""
    return _bytes(image + 255.0 * (0.1, 0.2, 0.3, 0.4, 0.5)[level])


def fog(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Clouds of several sizes before it, which take of its contrast what they add."""
    thick, fall = ((0.8, 2.0), (1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (3.0, 1.4))[level]
    cloud, weight, cells = np.zeros(image.shape, np.float32), 1.0, 2
    while cells <= max(image.shape):
        coarse = rng.random((cells, cells)).astype(np.float32)
        cloud += weight * np.asarray(cv2.resize(coarse, image.shape[::-1], interpolation=cv2.INTER_CUBIC))
        weight, cells = weight / fall, cells * 2
    cloud = (cloud - cloud.min()) / max(float(np.ptp(cloud)), 1e-6)
    return _bytes((image / 255 + thick * cloud) / (1 + thick) * 255)


def contrast(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Fainter ink."""
    return _bytes(image * (0.8, 0.6, 0.4, 0.3, 0.2)[level])


def stripe(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Inverted to either side of a vertical stripe in the middle."""
    width = max(1, round((0.05, 0.1, 0.18, 0.25, 0.32)[level] * image.shape[1]))
    out = 255 - image
    out[:, width:-width] = image[:, width:-width]
    return out


# --- marks -----------------------------------------------------------------------------------------------------------


def spatter(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Drops of a bright liquid on a share of the image."""
    share = (0.03, 0.06, 0.09, 0.13, 0.18)[level]
    field = cv2.GaussianBlur(rng.standard_normal(image.shape), (0, 0), 1.5)
    drops = cv2.GaussianBlur((field > np.quantile(field, 1 - share)).astype(np.float32), (0, 0), 0.6)
    return np.asarray(np.maximum(image, _bytes(220 * drops)), np.uint8)


def dotted_line(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """A broken line across it, from the left to the right."""
    height, width = image.shape
    down = rng.uniform(0, 1, 2) * (height - 1)
    line = _soft_line(image.shape, np.array([[0, down[0]], [width - 1, down[1]]]))
    line[:, np.arange(width) % (8, 6, 5, 4, 3)[level] >= 2] = 0
    return _bytes(image + 255 * line)


def zigzag(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """A line of short turns across it."""
    height, width = image.shape
    swing, turns = (0.7, 1, 1.5, 2, 2.5)[level], (3, 4, 5, 6, 7)[level]
    x0, x1, y0 = 0.07 * width, 0.9 * width, rng.uniform(0, 1) * (height - 1)
    y1 = y0 + rng.uniform(-0.18, 0.18) * height
    at = np.linspace(0, 1, turns + 1)
    away = swing * np.where(np.arange(turns + 1) % 2, 1, -1)
    length = max(float(np.hypot(x1 - x0, y1 - y0)), 1.0)
    points = np.stack(
        [x0 + at * (x1 - x0) - away * (y1 - y0) / length, y0 + at * (y1 - y0) + away * (x1 - x0) / length], 1
    )
    return _bytes(image + 255 * _soft_line(image.shape, points))


def canny_edges(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Its outline (Canny 1986), mixed with what is left of it."""
    left = (0.8, 0.6, 0.4, 0.2, 0.0)[level]
    edges = np.asarray(cv2.Canny(image, 100, 200), np.float64)
    return _bytes(left * image + (1 - left) * edges)


def thick(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Written with a broader pen."""
    return _grown(image, cv2.dilate, (0.3, 0.6, 1.0, 1.4, 2.0)[level])


def thin(image: np.ndarray, level: int, rng: np.random.Generator) -> np.ndarray:
    """Written with a finer pen."""
    return _grown(image, cv2.erode, (0.2, 0.4, 0.6, 0.8, 1.0)[level])


CORRUPTIONS: dict[str, Corrupt] = {
    f.__name__: f
    for f in (
        shot_noise,
        impulse_noise,
        glass_blur,
        motion_blur,
        shear,
        scale,
        rotate,
        brightness,
        translate,
        stripe,
        fog,
        spatter,
        dotted_line,
        zigzag,
        canny_edges,
        thick,
        thin,
        contrast,
    )
}
# MNIST-C's kinds, and the severity here that is nearest to that of the published set.  Its fog, noise, light, scale and
# geometry are these; its motion blur is a falling one, its spatter dark.
OF_MNIST_C = {
    "shot_noise": 5,
    "impulse_noise": 4,
    "glass_blur": 2,
    "motion_blur": 3,
    "shear": 3,
    "scale": 3,
    "rotate": 2,
    "brightness": 5,
    "translate": 3,
    "stripe": 4,
    "fog": 5,
    "spatter": 4,
    "dotted_line": 4,
    "zigzag": 4,
    "canny_edges": 5,
}


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.clip(np.rint(values), 0, 255), np.uint8)


def _sign(rng: np.random.Generator) -> int:
    return 1 if rng.random() < 0.5 else -1


def _affine(image: np.ndarray, matrix: list[list[float]], shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """The image transformed around its middle."""
    middle = (np.array(image.shape[::-1]) - 1) / 2
    linear = np.array(matrix, np.float64)
    whole = np.concatenate([linear, (middle - linear @ middle + shift)[:, None]], 1)
    return np.asarray(cv2.warpAffine(image, whole, image.shape[::-1], flags=cv2.INTER_LINEAR), np.uint8)


def _soft_line(shape: tuple[int, ...], points: np.ndarray) -> np.ndarray:
    """(H, W) float32 in [0, 1]: a line through points, (N, 2) of x and y; 1 where it runs, 0 from 1.4 pixels away."""
    drawn = np.full(shape[:2], 255, np.uint8)
    at = np.rint(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(drawn, [at], False, 0, 1, shift=4)
    away = cv2.distanceTransform(drawn, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.clip(1.4 - away, 0, 1), np.float32)


def _grown(image: np.ndarray, change: Callable[..., np.ndarray], amount: float) -> np.ndarray:
    """Dilated or eroded by so many pixels."""
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    steps, rest = divmod(amount, 1)
    here = np.asarray(change(image, kernel, iterations=int(steps))) if steps else image
    return _bytes((1 - rest) * here + rest * change(here, kernel)) if rest else np.asarray(here, np.uint8)
