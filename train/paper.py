"""Ink on paper, as a camera sees it: a pen's flow, rules and printed grounds, light, blur and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

Box = tuple[int, int, int, int]  # x, y, width, height, pixels
Colour = tuple[int, int, int]  # BGR

RULES = {"": 0, "lines": 1, "squares": 2}  # directions in which a paper is ruled
PATTERNS = ("", "waves", "guilloche")
FIELD_SIDE = 1024  # pixels of a noise that `tiled` cuts from

Noise = Callable[[int, int, float, np.random.Generator], np.ndarray]  # width, height, sigma, rng


@dataclass(frozen=True)
class Pen:
    """What writes.  width: of the character's height.  flow: opacity of the line.  grain: share of the paper's tooth
    that the ink misses.  blur: pixels, Gaussian sigma of the line's edge."""

    colour: Colour
    width: float
    flow: float = 0.95
    grain: float = 0.0
    blur: float = 0.7
    pressure: float = 0.12


@dataclass(frozen=True)
class Paper:
    """What is written on.

    texture: grey levels of its tooth.  rules: 'lines', 'squares' or none, `spacing` pixels apart.  pattern: 'waves' or
    'guilloche', as on cheques, or none.  light: share by which it darkens across the picture.  shadow: share that a
    soft-edged shadow takes away.
    """

    colour: Colour
    texture: float = 0.9
    rules: str = ""
    spacing: int = 40
    rule_colour: Colour = (225, 200, 180)
    pattern: str = ""
    light: float = 0.12
    shadow: float = 0.0


@dataclass(frozen=True)
class Lens:
    """blur: pixels, Gaussian sigma.  noise: grey levels, standard deviation."""

    blur: float = 0.6
    noise: float = 0.3


@dataclass(frozen=True)
class Bend:
    """How a camera sees a sheet.  matrix: (3, 3), from the sheet's pixels to the picture's.  size: of the picture,
    width and height."""

    matrix: np.ndarray
    size: tuple[int, int]

    def box(self, box: Box) -> Box:
        """The upright box in the picture around what a box of the sheet has become."""
        x, y, w, h = box
        corners = np.array([[[x, y], [x + w, y], [x + w, y + h], [x, y + h]]], np.float32)
        moved = cv2.perspectiveTransform(corners, self.matrix)[0]
        left, top = np.maximum(np.floor(moved.min(0)), 0).astype(int).tolist()
        right, bottom = np.minimum(np.ceil(moved.max(0)), self.size).astype(int).tolist()
        return left, top, right - left, bottom - top


def bend_of(width: int, height: int, degrees: float, perspective: float, rng: np.random.Generator) -> Bend:
    """A view of all of a sheet: turned, and its corners moved by up to a share of its width."""
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    moved = (corners - corners.mean(0)) @ np.array([[cos, sin], [-sin, cos]])
    # of a long line the height counts: no corner may pass another
    moved = moved + rng.uniform(-1, 1, (4, 2)) * perspective * min(width, 2 * height)
    moved = (moved - moved.min(0)).astype(np.float32)
    across, down = np.ceil(moved.max(0)).astype(int).tolist()
    return Bend(cv2.getPerspectiveTransform(corners, moved), (across, down))


def _widened(alpha: np.ndarray, bend: Bend) -> tuple[np.ndarray, Bend]:
    """A sheet that goes on to where the picture ends, so that its rules do too."""
    (width, height), (across, down) = alpha.shape[::-1], bend.size
    corners = np.array([[[0, 0], [across, 0], [across, down], [0, down]]], np.float32)
    seen = cv2.perspectiveTransform(corners, np.linalg.inv(bend.matrix))[0]
    most = max(width, height)  # of a steep view the rest is the sheet's border, drawn out
    left, top = np.clip(np.ceil(-seen.min(0)), 0, most).astype(int).tolist()
    right, bottom = np.clip(np.ceil(seen.max(0)) - (width, height), 0, most).astype(int).tolist()
    wide = cv2.copyMakeBorder(alpha, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0)
    back = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    return np.asarray(wide, np.float32), Bend(bend.matrix @ back, bend.size)


def printed(
    alpha: np.ndarray,
    pen: Pen,
    paper: Paper,
    rng: np.random.Generator,
    lens: Lens = Lens(),
    bend: Bend | None = None,
    noise_of: Noise | None = None,
) -> np.ndarray:
    """A photograph of ink: (H, W, 3) float32 BGR.

    alpha: (H, W) float32 in [0, 1], how much of the paper is covered.  bend: the camera's view of the sheet, whose size
    the picture has then.  noise_of: where noise comes from; `tiled` is fast, None draws all of it.
    """
    if bend is not None:
        alpha, bend = _widened(alpha, bend)
    height, width = alpha.shape
    sheet = ground(paper, width, height, rng, noise_of or noise)
    ink = np.array(pen.colour, np.float32)
    written = sheet + alpha[..., None] * (ink - sheet)
    if bend is not None:
        width, height = bend.size
        written = cv2.warpPerspective(written, bend.matrix, bend.size, borderMode=cv2.BORDER_REPLICATE)
    lit = written * light(paper, width, height, rng)[..., None]
    picture = np.asarray(cv2.GaussianBlur(lit, (0, 0), lens.blur) if lens.blur else lit, np.float32)
    if noise_of is None:
        picture += rng.normal(0, lens.noise, (height, width, 1)).astype(np.float32)
    elif lens.noise:
        picture += np.float32(lens.noise) * noise_of(width, height, 0, rng)[..., None]
    return picture


def flat_print(alpha: np.ndarray, ink: Colour, paper: Colour, flow: float) -> np.ndarray:
    """Ink on paper, each of one colour: (H, W, 3) uint8 BGR.  alpha: (H, W) uint8.  flow: the ink's opacity."""
    shares = np.linspace(0, flow, 256)[:, None]
    levels = np.rint(np.array(paper) + shares * (np.array(ink) - np.array(paper))).astype(np.uint8)
    return np.asarray(cv2.LUT(cv2.merge([alpha] * 3), levels[None]), np.uint8)


def flowed(alpha: np.ndarray, pen: Pen, rng: np.random.Generator, noise_of: Noise | None = None) -> np.ndarray:
    """A line of full ink, (H, W) float32, as a pen leaves it: soft at the edge, grainy, uneven."""
    noise_of = noise_of or noise
    height, width = alpha.shape
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), pen.blur), np.float32)
    tooth = noise_of(width, height, 1.0, rng)
    missed = np.clip(0.5 + 0.9 * tooth, 0, 1) * pen.grain
    uneven = 1 - 0.06 * np.clip(noise_of(width, height, 9.0, rng), -2, 2)
    return np.asarray(np.clip(pen.flow * alpha * (1 - missed) * uneven, 0, 1), np.float32)


def ground(
    paper: Paper, width: int, height: int, rng: np.random.Generator, noise_of: Noise | None = None
) -> np.ndarray:
    """(H, W, 3) float32: the paper with its rules, evenly lit."""
    noise_of = noise_of or noise
    sheet = np.full((height, width, 3), paper.colour, np.uint8)
    offset, slope = rng.uniform(0, paper.spacing), np.tan(np.radians(rng.uniform(-1.5, 1.5)))
    for at in np.arange(offset - paper.spacing, max(width, height) + paper.spacing, paper.spacing):
        across = np.array([[0, at], [width, at + slope * width]])
        for line in (across, np.array([[at, 0], [at - slope * height, height]]))[: RULES[paper.rules]]:
            ends = np.rint(line * 16).astype(int).tolist()
            cv2.line(sheet, ends[0], ends[1], paper.rule_colour, 1, cv2.LINE_AA, 4)
    if paper.pattern:
        _print_pattern(sheet, paper, rng)
    tooth = 0.8 * noise_of(width, height, 1.6, rng) + 0.7 * noise_of(width, height, 12.0, rng)
    return np.asarray(sheet + np.float32(paper.texture) * tooth[..., None], np.float32)


def _print_pattern(sheet: np.ndarray, paper: Paper, rng: np.random.Generator) -> None:
    """Fine waves side by side, or, as a guilloche, two sets of them that cross."""
    height, width = sheet.shape[:2]
    x = np.arange(-20, width + 20, 4)
    for direction in (1,) if paper.pattern == "waves" else (1, -1):
        wave, rise = rng.uniform(30, 90), rng.uniform(2, 6)
        slope, phase = direction * rng.uniform(0.05, 0.5), rng.uniform(0, 2 * np.pi)
        at = np.arange(-width, height + width, paper.spacing / 5)
        y = at[:, None] + slope * x + rise * np.sin(2 * np.pi * x / wave + phase)
        y = y[(y.max(1) > -1) & (y.min(1) < height + 1)]
        points = np.rint(np.stack([np.broadcast_to(x, y.shape), y], -1) * 16).astype(np.int32)
        cv2.polylines(sheet, list(points), False, paper.rule_colour, 1, cv2.LINE_AA, 4)


def light(paper: Paper, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32: the light's strength, 1 where it is full."""
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    light = 1 - paper.light * (along + 0.5)
    # a shadow's edge that runs down the picture near its middle
    edge = (x / width - rng.uniform(0.45, 0.6)) + 0.35 * (y / height - 0.5)
    if paper.shadow:
        light *= 1 - paper.shadow / (1 + np.exp(-edge / 0.035))
    return np.asarray(light, np.float32)


def noise(width: int, height: int, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 of zero mean and unit variance, smooth over `sigma` pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), sigma)
    return np.asarray(noise / noise.std(), np.float32)


def tiled(width: int, height: int, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """As `noise`, white where sigma is 0, cut at a place drawn by chance from one noise that is made once; drawn afresh
    where that is too small.  Read only."""
    if max(width, height) > FIELD_SIDE:
        return noise(width, height, sigma, rng) if sigma else rng.standard_normal((height, width), np.float32)
    top, left = (int(rng.integers(FIELD_SIDE - side + 1)) for side in (height, width))
    return _field(sigma)[top : top + height, left : left + width]


@lru_cache(maxsize=8)
def _field(sigma: float) -> np.ndarray:
    rng = np.random.default_rng(round(1000 * sigma))
    side = FIELD_SIDE
    field = noise(side, side, sigma, rng) if sigma else rng.standard_normal((side, side), np.float32)
    field.setflags(write=False)
    return field
