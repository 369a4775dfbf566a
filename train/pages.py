"""Pages of numbers, composed of glyphs on paper as a camera sees it, with the truth of every box.

Glyphs of a data set's held-out part make pages to judge a reader by; those of its training part may train one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..runtime.errors import DatasetError
from ..runtime.files import write_bytes
from .datasets import Dataset
from .paper import PATTERNS, RULES, Colour, Lens, Paper, Pen, flowed, printed
from .strokes import cropped

SHARPEN = 3.0  # a glyph's edge is this much steeper after it was enlarged
OVERLAP = (0, 3)  # pixels by which touching inks overlap, lowest and one above the highest
MAX_TUCK = 0.2  # of a character's width that lies under its neighbour, where they touch,
TRIES = 30  # of glyphs, until one is found that does
GAP = (0.08, 0.35)  # of the height: between inks that do not touch
NEAR_ROWS = 0.12  # of the height: inks that come near in rows so far apart are near
DRIFT = 0.04  # of the height: spread of the baseline from one character to the next
SIGN_SHAPES: dict[
    str, tuple[tuple[float, float, float, float], ...]
] = {  # lines x0, y0, x1, y1; heights above the base
    ".": ((0.0, 0.03, 0.02, 0.03),),
    ",": ((0.06, 0.06, 0.0, -0.12),),
    "-": ((0.0, 0.42, 0.26, 0.44),),
    ":": ((0.0, 0.1, 0.02, 0.1), (0.0, 0.5, 0.02, 0.5)),
}


@dataclass(frozen=True)
class PageOptions:
    """How pages are written and photographed.

    digits: fewest and most of a number.  lines: of a page, a number each.  height: of a digit, pixels.  jitter:
    spread of its logarithm.  aspect: spread of the logarithm of width by height.  slant: spread of a number's shift per
    height.  touching: share of neighbours whose inks meet.  separators: share of gaps with one.  margin: of the
    height, around the writing.
    rules, pattern, shadow, light: as of Paper; spacing: of the rules, of the height.  ink, paper: BGR.  flow: the ink's
    opacity.  blur, noise: as of Lens.  jpeg: quality, 0: none.  perspective: share of the width by which corners move.
    rotation: degrees, spread.  chalk: bright on dark.
    """

    digits: tuple[int, int] = (4, 6)
    lines: int = 1
    height: float = 56
    jitter: float = 0.06
    aspect: float = 0.1
    slant: float = 0.08
    touching: float = 0.0
    separators: float = 0.0
    margin: float = 0.9
    rules: str = ""
    pattern: str = ""
    spacing: float = 0.8
    ink: Colour = (70, 40, 30)
    paper: Colour = (232, 238, 238)
    flow: float = 0.92
    light: float = 0.12
    shadow: float = 0.0
    blur: float = 0.6
    noise: float = 1.5
    jpeg: int = 0
    perspective: float = 0.0
    rotation: float = 0.0
    chalk: bool = False

    def __post_init__(self) -> None:
        for name, low, high in (
            ("lines", 1, 40),
            ("height", 12, 400),
            ("jitter", 0, 0.5),
            ("aspect", 0, 0.5),
            ("slant", 0, 0.6),
            ("touching", 0, 1),
            ("separators", 0, 1),
            ("margin", 0.1, 10),
            ("spacing", 0.1, 10),
            ("flow", 0.05, 1),
            ("light", 0, 0.9),
            ("shadow", 0, 0.9),
            ("blur", 0, 10),
            ("noise", 0, 60),
            ("jpeg", 0, 100),
            ("perspective", 0, 0.2),
            ("rotation", 0, 45),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} {getattr(self, name)}; wanted {low:g} to {high:g}")
        if not 1 <= self.digits[0] <= self.digits[1] <= 40:
            raise ValueError(f"digits {self.digits}; wanted a fewest of at least 1 and a most of at most 40")
        for name, choices in (("rules", tuple(RULES)), ("pattern", PATTERNS)):
            if getattr(self, name) not in choices:
                wanted = ", ".join(repr(choice) for choice in choices)
                raise ValueError(f"{name} {getattr(self, name)!r}; wanted one of {wanted}")


@dataclass(frozen=True)
class Mark:
    """A character on a page.  box: x, y, width, height of its ink, pixels.  line: from 0."""

    label: str
    box: tuple[int, int, int, int]
    line: int


@dataclass(frozen=True)
class Page:
    """A page, (H, W, 3) BGR uint8.  text: its digits, a line of text for each line.  marks: separators too."""

    image: np.ndarray
    text: str
    marks: tuple[Mark, ...]


def pages(count: int, digits: Dataset, options: PageOptions, seed: int) -> Iterator[Page]:
    """`count` pages of a data set's glyphs, (N, 28, 28) bright on black; the same for the same seed."""
    for number in range(count):
        yield compose(digits, options, np.random.default_rng((seed, number)))


def compose(digits: Dataset, options: PageOptions, rng: np.random.Generator) -> Page:
    """One page."""
    written = [_number(digits, options, rng) for _ in range(options.lines)]
    margin, step = round(options.margin * options.height), round(1.7 * options.height)
    width = max(ink.shape[1] for ink, _ in written) + 2 * margin
    height = step * (options.lines - 1) + max(ink.shape[0] for ink, _ in written) + 2 * margin
    alpha = np.zeros((height, width), np.uint8)
    marks = []
    for line, (ink, placed) in enumerate(written):
        left = margin + int(rng.integers(0, width - 2 * margin - ink.shape[1] + 1))
        top = margin + line * step
        part = alpha[top : top + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(part, ink, out=part)
        marks += [Mark(label, (left + x, top + y, w, h), line) for label, (x, y, w, h) in placed]
    alpha, marks = _bent(alpha, marks, options, rng)
    image = _photographed(alpha, options, rng)
    lines = [
        "".join(mark.label for mark in marks if mark.line == n and mark.label.isalnum()) for n in range(options.lines)
    ]
    return Page(image, "\n".join(lines), tuple(marks))


def save_pages(folder: Path, digits: Dataset, count: int, options: PageOptions, seed: int) -> None:
    """Write pages as PNG, `labels.csv` (file, text) and `boxes.csv` (file, label, x, y, width, height, line).

    Raises DatasetError where the folder holds something already.
    """
    if folder.exists() and any(folder.iterdir()):
        raise DatasetError(f"{folder}: not empty; wanted a new folder for the pages")
    folder.mkdir(parents=True, exist_ok=True)
    labels: list[Any] = [("file", "text")]
    boxes: list[Any] = [("file", "label", "x", "y", "width", "height", "line")]
    for number, page in enumerate(pages(count, digits, options, seed)):
        name = f"{number:05d}.png"
        _, data = cv2.imencode(".png", page.image)
        write_bytes(folder / name, data.tobytes())
        labels.append((name, page.text))
        boxes += [(name, mark.label, *mark.box, mark.line) for mark in page.marks]
    for name, rows in (("labels.csv", labels), ("boxes.csv", boxes)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        write_bytes(folder / name, text.getvalue().encode())


# --- writing ---------------------------------------------------------------------------------------------------------


def _number(
    digits: Dataset, options: PageOptions, rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[str, tuple[int, int, int, int]]]]:
    """A number's ink (h, w) uint8, and label and box of each character in it."""
    height = options.height
    base, room = round(1.25 * height), round(1.6 * height)
    slant = rng.normal(0, options.slant)
    count = int(rng.integers(options.digits[0], options.digits[1] + 1))
    line = np.zeros((room, round((count * 1.9 + 1) * height)), np.uint8)
    placed: list[tuple[str, tuple[int, int, int, int]]] = []
    edge = np.full(room, -1)  # of each row: the column after the last ink
    for place in range(count):
        if place and rng.random() < options.separators:
            sign = list(SIGN_SHAPES)[rng.integers(len(SIGN_SHAPES))]
            ink = _sign(sign, height, rng)
            drop = round(height * 0.14) if sign == "," else 0
            left, top = _place(line, ink, base + drop - _rise(sign, height), edge, rng.uniform(*GAP) * height, False)
            placed.append((sign, _put(line, ink, left, top, edge)))
        bottom = base + round(rng.normal(0, DRIFT) * height)
        meets = bool(place) and placed[-1][0].isalnum() and rng.random() < options.touching
        for _ in range(TRIES if meets else 1):  # until one is found that meets its neighbour from the side
            pick = int(rng.integers(len(digits)))
            ink = _enlarged(digits.images[pick], options, slant, rng)
            gap = -int(rng.integers(*OVERLAP)) if meets else rng.uniform(*GAP) * height
            left, top = _place(line, ink, bottom, edge, gap, meets)
            if not meets or edge.max() - left <= MAX_TUCK * ink.shape[1]:
                break
        placed.append((digits.classes[digits.labels[pick]], _put(line, ink, left, top, edge)))
    x, y, width, tall = cv2.boundingRect(line)
    return line[y : y + tall, x : x + width], [(label, (a - x, b - y, c, d)) for label, (a, b, c, d) in placed]


def _place(
    line: np.ndarray, ink: np.ndarray, bottom: int, edge: np.ndarray, gap: float, meets: bool
) -> tuple[int, int]:
    """Left and top of an ink that comes to within `gap` of what is there.  edge: of each row, the column after it."""
    rows, columns = ink.shape
    top = min(max(bottom - rows, 0), line.shape[0] - rows)
    if edge.max() < 0:
        return 0, top
    solid = ink > 127
    inked = solid.any(1)
    near = edge
    if not meets:  # inks that pass each other above and below do not touch, but are close
        reach = 2 * round(NEAR_ROWS * rows) + 1
        near = cv2.dilate(edge.astype(np.float32)[:, None], np.ones((reach, 1), np.uint8))[:, 0].astype(int)
    starts = solid.argmax(1)
    left = round(float((near[top : top + rows] - starts)[inked].max(initial=-columns) + gap))
    return max(left, int(edge.max()) - columns // 2, 0), top


def _put(line: np.ndarray, ink: np.ndarray, left: int, top: int, edge: np.ndarray) -> tuple[int, int, int, int]:
    """Write ink on a line and bring `edge` up to date; returns its box."""
    rows, columns = ink.shape
    part = line[top : top + rows, left : left + columns]
    np.maximum(part, ink[:, : part.shape[1]], out=part)
    solid = ink > 127
    ends = np.where(solid.any(1), left + columns - solid[:, ::-1].argmax(1), -1)
    edge[top : top + rows] = np.maximum(edge[top : top + rows], ends)
    return left, top, columns, rows


def _enlarged(glyph: np.ndarray, options: PageOptions, slant: float, rng: np.random.Generator) -> np.ndarray:
    """A glyph's ink at the page's size, with an edge as sharp as a pen's."""
    ink = cropped(glyph)
    tall = options.height * float(np.exp(rng.normal(0, options.jitter)))
    scale = tall / max(ink.shape[0], 12)  # a character that is low in its glyph is low on paper
    wide = scale * float(np.exp(rng.normal(0, options.aspect)))
    size = max(2, round(ink.shape[1] * wide)), max(2, round(ink.shape[0] * scale))
    padded = cv2.copyMakeBorder(ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    large = cv2.resize(padded, (size[0] + round(2 * wide), size[1] + round(2 * scale)), interpolation=cv2.INTER_CUBIC)
    matrix = np.array([[1, -slant, max(0.0, slant) * large.shape[0]], [0, 1, 0]], np.float32)
    across = large.shape[1] + int(np.ceil(abs(slant) * large.shape[0]))
    leaning = cv2.warpAffine(large, matrix, (across, large.shape[0]), flags=cv2.INTER_LINEAR)
    sharp = np.clip((leaning.astype(np.float32) - 110) * SHARPEN + 127, 0, 255).astype(np.uint8)
    return cropped(sharp) if sharp.any() else np.full((2, 2), 255, np.uint8)


def _sign(sign: str, height: float, rng: np.random.Generator) -> np.ndarray:
    """A separator's ink."""
    pen = max(2, round(height * rng.uniform(0.08, 0.12)))
    lines = np.array(SIGN_SHAPES[sign]) * height
    lines[:, 1::2] *= -1
    points = lines.reshape(-1, 2, 2)
    points = points - points.min((0, 1)) + pen
    size = np.ceil(points.max((0, 1))).astype(int) + pen
    ink = np.zeros((size[1], size[0]), np.uint8)
    for start, end in np.rint(points).astype(int).tolist():
        cv2.line(ink, start, end, 255, pen, cv2.LINE_AA)
    return cropped(ink)


def _rise(sign: str, height: float) -> int:
    """Rows from a sign's foot to the base line."""
    return round(max(0.0, min(min(y0, y1) for _, y0, _, y1 in SIGN_SHAPES[sign])) * height)


# --- paper and camera ------------------------------------------------------------------------------------------------


def _bent(
    alpha: np.ndarray, marks: list[Mark], options: PageOptions, rng: np.random.Generator
) -> tuple[np.ndarray, list[Mark]]:
    """Turned and in perspective; boxes are those around what their ink has become."""
    if not (options.rotation or options.perspective):
        return alpha, marks
    height, width = alpha.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    angle = np.radians(rng.normal(0, options.rotation))
    cos, sin = np.cos(angle), np.sin(angle)
    moved = (corners - corners.mean(0)) @ np.array([[cos, sin], [-sin, cos]])
    moved = moved + rng.uniform(-options.perspective, options.perspective, (4, 2)) * width
    moved = (moved - moved.min(0)).astype(np.float32)
    size = np.ceil(moved.max(0)).astype(int).tolist()
    matrix = cv2.getPerspectiveTransform(corners, moved)
    bent = np.asarray(cv2.warpPerspective(alpha, matrix, size), np.uint8)
    found = []
    for mark in marks:
        x, y, w, h = mark.box
        box = np.array([[[x, y], [x + w, y], [x + w, y + h], [x, y + h]]], np.float32)
        a, b, c, d = cv2.boundingRect(cv2.perspectiveTransform(box, matrix)[0])
        found.append(replace(mark, box=(a, b, c, d)))
    return bent, found


def _photographed(alpha: np.ndarray, options: PageOptions, rng: np.random.Generator) -> np.ndarray:
    ink, ground = ((230, 236, 236), (58, 66, 52)) if options.chalk else (options.ink, options.paper)
    pen = Pen(ink, 0.1, flow=options.flow, grain=0.35 if options.chalk else 0.05)
    paper = Paper(
        ground,
        rules=options.rules,
        spacing=max(4, round(options.spacing * options.height)),
        pattern=options.pattern,
        light=options.light,
        shadow=options.shadow,
    )
    share = flowed(alpha.astype(np.float32) / 255, pen, rng)
    picture = printed(share, pen, paper, rng, Lens(options.blur, options.noise))
    image = np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
    if options.jpeg:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, options.jpeg])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
