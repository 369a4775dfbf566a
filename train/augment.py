"""Random distortions of a batch: rotation, scale, aspect, shear, shift, elastic, stroke thickness; and wear.

One `cv2.remap` warps a whole batch, stacked into one tall picture, so that augmentation keeps ahead of the smallest
networks.  Elastic fields follow Simard et al. 2003 (smoothed random displacements), on a coarse grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from ..runtime.geometry import INK_GEOMETRIES
from .wear import worn

ELASTIC_GRID = 5  # random displacements along each axis, spread evenly over the image
MAX_REMAP_ROWS = 32_000  # cv2.remap addresses rows with int16


@dataclass(frozen=True)
class Augmentation:
    """How far each distortion may go; each image draws its own, uniformly within ±the bound. All 0: none."""

    rotation: float = 0.0  # degrees
    scale: float = 0.0  # share: 0.1 draws from 1/1.1 to 1.1
    aspect: float = 0.0  # share by which width and height may differ
    shear: float = 0.0  # horizontal shift per unit of height
    shift: float = 0.0  # share of the image's side
    elastic: float = 0.0  # standard deviation of the displacement field, share of the image's side
    thickness: float = 0.0  # 1: up to a full 3×3 dilation or erosion of the strokes
    wear: float = 0.0  # share of grey images with light, noise, blur or marks: wear.py
    repeats_edge: bool = False  # outside of a grey image is its edge's grey, as of a colour image, instead of black

    def __call__(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Distorted copies of `images`, (N, H, W) or (N, H, W, C) uint8."""
        if len(images) == 0 or not any(vars(self).values()):
            return images
        step = max(1, MAX_REMAP_ROWS // (images.shape[1] + 2))
        warped = np.concatenate([self._warp(images[i : i + step], rng) for i in range(0, len(images), step)])
        return worn(warped, self.wear, rng) if self.wear and images.ndim == 3 else warped

    def _warp(self, images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        count, height, width = images.shape[:3]
        x, y = self._source_coordinates(count, height, width, rng)
        mode = "edge" if images.ndim == 4 or self.repeats_edge else "constant"
        padded = np.pad(images, [(0, 0), (1, 1), (1, 1)] + [(0, 0)] * (images.ndim - 3), mode=mode)  # type: ignore[call-overload]
        rows = height + 2
        np.clip(x + 1, 0, width + 1, out=x)
        np.clip(y + 1, 0, height + 1, out=y)
        y += (np.arange(count, dtype=np.float32) * rows)[:, None, None]
        tall = padded.reshape(count * rows, width + 2, *images.shape[3:])
        if self.thickness:
            tall = self._thicken(tall, padded.shape, rng)
        warped = cv2.remap(tall, x.reshape(-1, width), y.reshape(-1, width), cv2.INTER_LINEAR)
        return np.asarray(warped).reshape(images.shape)

    def _source_coordinates(
        self, count: int, height: int, width: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N, H, W) float32 each: where every output pixel is taken from."""

        def draw(bound: float) -> np.ndarray:
            return rng.uniform(-bound, bound, count)

        angle = np.radians(draw(self.rotation))
        size = np.exp(draw(np.log1p(self.scale)))
        stretch = np.exp(draw(np.log1p(self.aspect)) / 2)
        cos, sin, shear = np.cos(angle), np.sin(angle), draw(self.shear)
        # inverse map, output to source: unscale, then shear, then rotate back
        xx, xy = cos / (size * stretch), (cos * shear + sin) / (size / stretch)
        yx, yy = -sin / (size * stretch), (cos - sin * shear) / (size / stretch)
        dx, dy = draw(self.shift) * width, draw(self.shift) * height
        row = (np.arange(height, dtype=np.float32) - (height - 1) / 2)[None, :, None]
        column = (np.arange(width, dtype=np.float32) - (width - 1) / 2)[None, None, :]

        def affine(a: np.ndarray, b: np.ndarray, centre: np.ndarray) -> np.ndarray:
            a, b, centre = (v.astype(np.float32)[:, None, None] for v in (a, b, centre))
            return np.asarray(a * column + b * row + centre, np.float32)

        x = affine(xx, xy, (width - 1) / 2 + dx)
        y = affine(yx, yy, (height - 1) / 2 + dy)
        if self.elastic:
            down, across = _smooth_basis(height), _smooth_basis(width)
            for axis, side in ((x, width), (y, height)):
                coarse = rng.standard_normal((count, ELASTIC_GRID, ELASTIC_GRID), np.float32)
                axis += (self.elastic * side) * (down @ coarse @ across.T)
        return x, y

    def _thicken(self, tall: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
        """Blend each image with its 3×3 dilation (amount > 0) or erosion (< 0)."""
        kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
        amount = rng.uniform(-self.thickness, self.thickness, shape[0]).astype(np.float32)
        amount = amount.reshape(-1, *[1] * (len(shape) - 1))
        image = tall.reshape(shape).astype(np.float32)
        thick, thin = (np.asarray(f(tall, kernel)).reshape(shape) for f in (cv2.dilate, cv2.erode))
        # erosion wipes out a one-pixel stroke: go at most half of the way
        blended = image + np.where(amount > 0, amount * (thick - image), -0.5 * amount * (thin - image))
        return np.clip(blended, 0, 255).astype(np.uint8).reshape(tall.shape)


def _smooth_basis(side: int) -> np.ndarray:
    """(side, ELASTIC_GRID) float32: weights that spread a coarse row of unit variance smoothly, at unit variance."""
    centres = np.linspace(0, side - 1, ELASTIC_GRID)
    spread = (side - 1) / (ELASTIC_GRID - 1) * 0.7
    weights = np.exp(-0.5 * ((np.arange(side)[:, None] - centres) / spread) ** 2)
    return np.asarray(weights / np.sqrt((weights**2).sum(1, keepdims=True)), np.float32)


NONE = Augmentation()
MILD = Augmentation(rotation=8, scale=0.08, aspect=0.06, shear=0.1, shift=0.05, thickness=0.3)
MEDIUM = Augmentation(rotation=10, scale=0.12, aspect=0.1, shear=0.15, shift=0.07, elastic=0.025, thickness=0.6)
STRONG = Augmentation(rotation=14, scale=0.16, aspect=0.16, shear=0.25, shift=0.09, elastic=0.035, thickness=0.8)
HARSH = replace(STRONG, rotation=30, scale=0.35, shear=0.35, shift=0.14, thickness=1.0, wear=0.7)
AUGMENTATIONS = {"none": NONE, "mild": MILD, "medium": MEDIUM, "strong": STRONG, "harsh": HARSH}


def augmentation_of(name: str, geometry: str) -> Augmentation:
    """The augmentation of a name, for glyphs of an ink geometry, around which all is black, or for whole images."""
    found = AUGMENTATIONS[name]
    return found if found == NONE or geometry in INK_GEOMETRIES else replace(found, repeats_edge=True)
