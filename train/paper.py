"""Ink on paper, as a camera sees it: a pen's flow, rules and printed grounds, light, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

Colour = tuple[int, int, int]  # BGR

RULES = {"": 0, "lines": 1, "squares": 2}  # directions in which a paper is ruled
PATTERNS = ("", "waves", "guilloche")


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


def printed(
    alpha: np.ndarray,
    pen: Pen,
    paper: Paper,
    rng: np.random.Generator,
    lens: Lens = Lens(),
) -> np.ndarray:
    """A photograph of ink: (H, W, 3) float32 BGR.

    alpha: (H, W) float32 in [0, 1], how much of the paper is covered.
    """
    height, width = alpha.shape
    sheet = ground(paper, width, height, rng)
    ink = np.array(pen.colour, np.float32)
    lit = (sheet + alpha[..., None] * (ink - sheet)) * light(paper, width, height, rng)[..., None]
    picture = np.asarray(cv2.GaussianBlur(lit, (0, 0), lens.blur) if lens.blur else lit, np.float32)
    picture += rng.normal(0, lens.noise, (height, width, 1)).astype(np.float32)
    return picture


def flowed(alpha: np.ndarray, pen: Pen, rng: np.random.Generator) -> np.ndarray:
    """A line of full ink, (H, W) float32, as a pen leaves it: soft at the edge, grainy, uneven."""
    height, width = alpha.shape
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), pen.blur), np.float32)
    tooth = noise(width, height, 1.0, rng)
    missed = np.clip(0.5 + 0.9 * tooth, 0, 1) * pen.grain
    uneven = 1 - 0.06 * np.clip(noise(width, height, 9.0, rng), -2, 2)
    return np.asarray(np.clip(pen.flow * alpha * (1 - missed) * uneven, 0, 1), np.float32)


def ground(paper: Paper, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) float32: the paper with its rules, evenly lit."""
    sheet = np.full((height, width, 3), paper.colour, np.uint8)
    offset, slope = rng.uniform(0, paper.spacing), np.tan(np.radians(rng.uniform(-1.5, 1.5)))
    for at in np.arange(offset - paper.spacing, max(width, height) + paper.spacing, paper.spacing):
        across = np.array([[0, at], [width, at + slope * width]])
        for line in (across, np.array([[at, 0], [at - slope * height, height]]))[: RULES[paper.rules]]:
            ends = np.rint(line * 16).astype(int).tolist()
            cv2.line(sheet, ends[0], ends[1], paper.rule_colour, 1, cv2.LINE_AA, 4)
    if paper.pattern:
        _print_pattern(sheet, paper, rng)
    tooth = 0.8 * noise(width, height, 1.6, rng) + 0.7 * noise(width, height, 12.0, rng)
    return np.asarray(sheet + np.float32(paper.texture) * tooth[..., None], np.float32)


def _print_pattern(sheet: np.ndarray, paper: Paper, rng: np.random.Generator) -> None:
    """Fine waves side by side, or, as a guilloche, two sets of them that cross."""
    height, width = sheet.shape[:2]
    x = np.arange(-20, width + 20, 4)
    for direction in (1,) if paper.pattern == "waves" else (1, -1):
        wave, rise = rng.uniform(30, 90), rng.uniform(2, 6)
        slope, phase = direction * rng.uniform(0.05, 0.5), rng.uniform(0, 2 * np.pi)
        for at in np.arange(-width, height + width, paper.spacing / 5):
            y = at + slope * x + rise * np.sin(2 * np.pi * x / wave + phase)
            points = np.rint(np.stack([x, y], -1) * 16).astype(np.int32)
            cv2.polylines(sheet, [points], False, paper.rule_colour, 1, cv2.LINE_AA, 4)


def light(paper: Paper, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32: the light's strength, 1 where it is full."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (x / width - 0.5) * np.cos(angle) + (y / height - 0.5) * np.sin(angle)
    light = 1 - paper.light * (along + 0.5)
    # a shadow's edge that runs down the picture near its middle
    edge = (x / width - rng.uniform(0.45, 0.6)) + 0.35 * (y / height - 0.5)
    light *= 1 - paper.shadow / (1 + np.exp(-edge / 0.035))
    return np.asarray(light, np.float32)


def noise(width: int, height: int, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """(H, W) float32 of zero mean and unit variance, smooth over `sigma` pixels."""
    noise = cv2.GaussianBlur(rng.standard_normal((height, width), np.float32), (0, 0), sigma)
    return np.asarray(noise / noise.std(), np.float32)
