"""Pages of numbers, composed of glyphs on paper as a camera sees it, with the truth of every box.

Glyphs of a data set's held-out part make pages to judge a reader by; those of its training part may train one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..runtime.errors import DatasetError
from ..runtime.explain import save_picture
from ..runtime.files import write_csv
from ..runtime.ink import stroke_width
from ..runtime.labels import LABELS_FILE
from .datasets import Dataset
from .paper import PATTERNS, RULES, Bend, Box, Colour, Lens, Paper, Pen, bend_of, flat_print, flowed, printed, tiled
from .strokes import cropped

FORMS = ("", "underline", "frame", "cells")

SHARPEN = 3.0  # a glyph's edge is this much steeper after it was enlarged
THINNEST = 0.5  # of a glyph's stroke width that thinning takes away at most
LEAST_INK = 0.3  # of a glyph's ink that is left where it is thinned
SHARP = np.clip((np.arange(256) - 110) * SHARPEN + 127, 0, 255).astype(np.uint8)  # what a level becomes
DUST = 0.06  # of a glyph's ink: smaller pieces are specks that its scan left, and would touch in the character's place
MAX_SPREADS = 2.5  # a size is no further from its mean
OVERLAP = (0, 3)  # pixels by which touching inks overlap, lowest and one above the highest
MAX_TUCK = 0.2  # of a character's width that lies under its neighbour, where they touch,
DOT = np.full((2, 2), 255, np.uint8)  # what is left of a glyph that vanishes
TRIES = 30  # of glyphs, until one is found that does
GAP = (0.08, 0.35)  # of the height: between inks that do not touch
NEAR_ROWS = 0.12  # of the height: inks that come near in rows so far apart are near
SMALL_ZERO = (0.45, 0.85)  # of the height of the other digits
ZERO_RISE = 0.7  # of what a small zero lacks in height, that it may stand above the base line
LINK_HEIGHTS = (0.05, 0.5)  # of a character's height, from its top, where a joining stroke may begin and end
LINK_PEN = (0.04, 0.09)  # of the height: its width
CELL_GAP = (0.3, 0.6)  # where each has its own box,
SPACE = (0.35, 0.9)  # of the height: between groups of a number,
NUMBER_GAP = (0.9, 1.4)  # of the height: between numbers of a line
FORM_PEN = (0.03, 0.06)  # of the height: width of a form's lines,
FORM_GAP = (0.02, 0.25)  # and the paper between them and the writing
SIGN_SHAPES: dict[
    str, tuple[tuple[float, float, float, float], ...]
] = {  # lines x0, y0, x1, y1; heights above the base
    ".": ((0.0, 0.03, 0.02, 0.03),),
    ",": ((0.06, 0.06, 0.0, -0.12),),
    "-": ((0.0, 0.42, 0.26, 0.44),),
    ":": ((0.0, 0.1, 0.02, 0.1), (0.0, 0.5, 0.02, 0.5)),
    "=": ((0.0, 0.32, 0.28, 0.34), (0.0, 0.54, 0.28, 0.56)),
    "/": ((0.0, -0.08, 0.34, 1.0),),
}


@dataclass(frozen=True)
class PageOptions:
    """How pages are written and photographed.

    digits: fewest and most of a number.  lines: of a page.  numbers: of a line, far apart.  height: of a digit, pixels.
    jitter: spread of its logarithm.  aspect: spread of the logarithm of width by height.  slant: spread of a line's
    shift per height.  drift: of the height, spread of the baseline from one character to the next.  weight: of the
    height, by how much strokes are thicker than the glyphs', below 0 thinner.  small_zeros: share of lines whose
    zeros are smaller and may be raised.  links: share of neighbours that touch whose upper parts a stroke joins.
    touching: share of neighbours whose inks
    meet.  separators: share of gaps with one; signs: which ones; '/' can be had too, but is
    much like a 1.  margin: of the height, around the writing.
    form: of lines as dark as the pen, around each line of writing: 'underline', 'frame' or 'cells', one a character.
    rules, pattern, shadow, light: as of Paper; spacing: of the rules, of the height.  ink, paper: BGR.  flow: the ink's
    opacity.  texture: share of the paper's tooth and the ink's grain; pages are drawn several times as fast in flat
    colours, which is without it and the camera's effects.  blur, noise: as of Lens.  jpeg: quality, 0: none.
    perspective: share of the width by which corners move.  rotation: degrees, spread.  chalk: bright on dark.
    """

    digits: tuple[int, int] = (4, 6)
    lines: int = 1
    numbers: int = 1
    height: float = 56
    jitter: float = 0.06
    aspect: float = 0.1
    slant: float = 0.08
    drift: float = 0.04
    weight: float = 0.0
    small_zeros: float = 0.0
    links: float = 0.0
    touching: float = 0.0
    separators: float = 0.0
    signs: str = ".,-:"
    margin: float = 0.9
    form: str = ""
    rules: str = ""
    pattern: str = ""
    spacing: float = 0.8
    ink: Colour = (70, 40, 30)
    paper: Colour = (232, 238, 238)
    flow: float = 0.92
    texture: float = 1.0
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
            ("numbers", 1, 20),
            ("height", 12, 400),
            ("jitter", 0, 0.5),
            ("aspect", 0, 0.5),
            ("slant", 0, 0.6),
            ("drift", 0, 0.3),
            ("weight", -0.2, 0.2),
            ("small_zeros", 0, 1),
            ("links", 0, 1),
            ("touching", 0, 1),
            ("separators", 0, 1),
            ("margin", 0.1, 10),
            ("spacing", 0.1, 10),
            ("flow", 0.05, 1),
            ("texture", 0, 4),
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
        if not self.signs or set(self.signs) - set(SIGN_SHAPES):
            raise ValueError(f"signs {self.signs!r}; wanted some of {''.join(SIGN_SHAPES)}")
        for name in ("ink", "paper"):
            colour = getattr(self, name)
            if len(colour) != 3 or not all(0 <= level <= 255 for level in colour):
                raise ValueError(f"{name} {colour}; wanted blue, green and red of 0 to 255")
        for name, choices in (("form", FORMS), ("rules", tuple(RULES)), ("pattern", PATTERNS)):
            if getattr(self, name) not in choices:
                wanted = ", ".join(repr(choice) for choice in choices)
                raise ValueError(f"{name} {getattr(self, name)!r}; wanted one of {wanted}")

    @property
    def flat(self) -> bool:
        """Ink and paper are of one colour each."""
        effects = self.texture, self.light, self.shadow, self.blur, self.noise, self.rules, self.pattern
        return not any(effects)


@dataclass(frozen=True)
class Mark:
    """A character on a page.  box: x, y, width, height of its ink, pixels.  line: from 0."""

    label: str
    box: Box
    line: int


@dataclass(frozen=True)
class Page:
    """A page, (H, W, 3) BGR uint8.  text: its digits, a line of text for each line.  marks: separators too."""

    image: np.ndarray
    text: str
    marks: tuple[Mark, ...]


def pages(count: int, digits: Dataset, options: PageOptions, seed: int) -> Iterator[Page]:
    """`count` pages of a data set's glyphs, (N, 28, 28) bright on black; the same for the same seed.

    Raises DatasetError where the data set has none, or images in colour.
    """
    if not len(digits) or digits.images.ndim != 3:
        raise DatasetError(f"{digits.name}: images {digits.images.shape}; wanted glyphs (N, height, width)")
    for number in range(count):
        yield compose(digits, options, np.random.default_rng((seed, number)))


def compose(digits: Dataset, options: PageOptions, rng: np.random.Generator, text: str = "") -> Page:
    """One page.

    text: what every number of it says, its signs and spaces too; '' where digits and signs are drawn by chance.
    """
    written = [_line(digits, options, rng, text) for _ in range(options.lines)]
    margin, step = round(options.margin * options.height), round(1.7 * options.height)
    width = max(ink.shape[1] for ink, _ in written) + 2 * margin
    tops = np.cumsum([margin, *(max(step, ink.shape[0] + margin // 2) for ink, _ in written[:-1])]).tolist()
    alpha = np.zeros((tops[-1] + written[-1][0].shape[0] + margin, width), np.uint8)
    marks = []
    for line, ((ink, placed), top) in enumerate(zip(written, tops, strict=True)):
        left = margin + int(rng.integers(0, width - 2 * margin - ink.shape[1] + 1))
        alpha[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
        here = [Mark(label, (left + x, top + y, w, h), line) for label, (x, y, w, h) in placed]
        if options.form:
            _draw_form(alpha, [mark.box for mark in here], options, rng)
        marks += here
    bend = None
    if options.rotation or options.perspective:
        degrees = _spread(options.rotation, rng)
        bend = bend_of(width, alpha.shape[0], degrees, options.perspective, rng)
        marks = [replace(mark, box=bend.box(mark.box)) for mark in marks]
    image = _photographed(alpha, bend, options, rng)
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
        save_picture(folder / name, page.image)
        labels.append((name, page.text))
        boxes += [(name, mark.label, *mark.box, mark.line) for mark in page.marks]
    write_csv(folder / LABELS_FILE, labels)
    write_csv(folder / "boxes.csv", boxes)


# --- writing ---------------------------------------------------------------------------------------------------------


Placed = list[tuple[str, Box]]  # labels and boxes


def _line(digits: Dataset, options: PageOptions, rng: np.random.Generator, text: str) -> tuple[np.ndarray, Placed]:
    """A line's ink (h, w) uint8, and label and box of each character in it."""
    height = options.height
    base = round(height * (np.exp(MAX_SPREADS * options.jitter) + MAX_SPREADS * options.drift + 0.1))
    slant = rng.normal(0, options.slant)
    edge = np.full(base + round(height * (MAX_SPREADS * options.drift + 0.4)), -1)  # column after each row's last ink
    parts: list[tuple[np.ndarray, int, int]] = []  # inks, their left and top
    links: list[tuple[int, np.ndarray]] = []  # first of two parts that are joined, at which shares of their heights
    labels: list[str] = []

    def put(label: str, ink: np.ndarray, left: int, top: int) -> None:
        _extend(edge, ink, left, top)
        labels.append(label)
        parts.append((ink, left, top))

    zero_size = rng.uniform(*SMALL_ZERO) if options.small_zeros and rng.random() < options.small_zeros else 1.0
    zero_rise = round(rng.uniform(0, 1 - zero_size) * ZERO_RISE * height)
    everything = range(len(digits))
    for number in range(options.numbers):
        for place, wanted in enumerate(text or _tokens(options, rng)):
            if wanted in SIGN_SHAPES:
                ink = _sign(wanted, height, rng)
                put(wanted, ink, *_place(ink, base + _drop(wanted, height), edge, rng.uniform(*GAP) * height, False))
                continue
            if wanted == " ":
                continue
            after_space = bool(place) and bool(text) and text[place - 1] == " "
            bottom = base + round(_spread(options.drift, rng) * height)
            meets = bool(place) and not after_space and labels[-1].isalnum() and rng.random() < options.touching
            gaps = NUMBER_GAP if number and not place else CELL_GAP if options.form == "cells" else GAP
            gaps = SPACE if after_space else gaps
            choice = digits.members[wanted] if wanted else everything
            for _ in range(TRIES if meets else 1):  # until one is found that meets its neighbour from the side
                pick = choice[int(rng.integers(len(choice)))]
                ink = _enlarged(digits.images[pick], options, slant, rng)
                if wanted == "0" and zero_size < 1:
                    size = tuple(max(2, round(side * zero_size)) for side in ink.shape[::-1])
                    ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
                gap = -int(rng.integers(*OVERLAP)) if meets else rng.uniform(*gaps) * height
                rise = zero_rise if wanted == "0" else 0
                left, top = _place(ink, bottom - rise, edge, gap, meets)
                if not meets or edge.max() - left <= MAX_TUCK * ink.shape[1]:
                    break
            if not place and number:  # the numbers' gap is between boxes
                left = max(left, round(int(edge.max()) + gap))
            if meets and options.links and rng.random() < options.links:
                links.append((len(parts) - 1, rng.uniform(*LINK_HEIGHTS, 2)))
            put(digits.classes[digits.labels[pick]], ink, left, top)
    low = min(top for _, _, top in parts)
    high = max(top + ink.shape[0] for ink, _, top in parts)
    line = np.zeros((high - low, max(left + ink.shape[1] for ink, left, _ in parts)), np.uint8)
    for ink, left, top in parts:
        part = line[top - low : top - low + ink.shape[0], left : left + ink.shape[1]]
        np.maximum(part, ink, out=part)
    for first, heights in links:
        _link(line, parts[first : first + 2], heights, low, options, rng)
    boxes = [(left, top - low, ink.shape[1], ink.shape[0]) for ink, left, top in parts]
    return line, list(zip(labels, boxes, strict=True))


def _link(
    line: np.ndarray,
    pair: Sequence[tuple[np.ndarray, int, int]],
    heights: np.ndarray,
    low: int,
    options: PageOptions,
    rng: np.random.Generator,
) -> None:
    """Join two neighbours by a stroke from the one's right flank to the other's left, as of a pen that is not lifted.

    pair: their inks, left and top.  heights: where, shares of each one's.  low: the line's top.
    """
    ends = []
    for (ink, left, top), share, side in zip(pair, heights, (-1, 0), strict=True):
        row = min(int(share * ink.shape[0]), ink.shape[0] - 1)
        columns = np.flatnonzero(ink[row] > 127)
        if not len(columns):
            return
        ends.append((left + int(columns[side]), top + row - low))
    pen = max(1, round(options.height * rng.uniform(*LINK_PEN)))
    cv2.line(line, ends[0], ends[1], 255, pen, cv2.LINE_AA)


def _tokens(options: PageOptions, rng: np.random.Generator) -> Iterator[str]:
    """A number's characters, from the left: a sign, or '' for any digit."""
    for place in range(int(rng.integers(options.digits[0], options.digits[1] + 1))):
        if place and rng.random() < options.separators:
            yield options.signs[rng.integers(len(options.signs))]
        yield ""


def _place(ink: np.ndarray, bottom: int, edge: np.ndarray, gap: float, meets: bool) -> tuple[int, int]:
    """Left and top of an ink that comes to within `gap` of what is there.  edge: of each row, the column after it."""
    rows, columns = ink.shape
    top = min(max(bottom - rows, 0), len(edge) - rows)
    last = int(edge.max())
    if last < 0:
        return 0, top
    solid = ink > 127
    near = edge
    if not meets:  # inks that pass each other above and below do not touch, but are close
        reach = 2 * max(1, round(NEAR_ROWS * rows)) + 1
        near = cv2.dilate(edge.astype(np.float32)[:, None], np.ones((reach, 1), np.uint8))[:, 0].astype(int)
    reaches = near[top : top + rows] - solid.argmax(1)
    left = round(float(reaches[solid.any(1)].max(initial=-columns) + gap))
    return max(left, last - columns // 2, 0), top


def _extend(edge: np.ndarray, ink: np.ndarray, left: int, top: int) -> None:
    """Bring `edge` up to date with an ink that was written."""
    rows, columns = ink.shape
    solid = ink > 127
    ends = np.where(solid.any(1), left + columns - solid[:, ::-1].argmax(1), -1)
    np.maximum(edge[top : top + rows], ends, out=edge[top : top + rows])


def _spread(deviation: float, rng: np.random.Generator) -> float:
    """A normal deviate, cut off."""
    return deviation * min(max(rng.standard_normal(), -MAX_SPREADS), MAX_SPREADS)


def _enlarged(glyph: np.ndarray, options: PageOptions, slant: float, rng: np.random.Generator) -> np.ndarray:
    """A glyph's ink at the page's size, with an edge as sharp as a pen's."""
    ink = cropped(_dusted(glyph))
    if not ink.size:  # a glyph without ink
        return DOT
    scale = options.height * math.exp(_spread(options.jitter, rng)) / max(ink.shape[0], 12)  # a low one stays low
    wide = scale * math.exp(_spread(options.aspect, rng))
    # from pixel centres to pixel centres, with a pixel of the glyph's black around it
    tall, lean = scale * (ink.shape[0] + 2), abs(slant) * scale * (ink.shape[0] + 2)
    start = wide * 1.5 - 0.5 + max(0.0, slant) * tall
    matrix = np.array([[wide, -slant * scale, start], [0, scale, scale * 1.5 - 0.5]])
    size = math.ceil(wide * (ink.shape[1] + 2) + lean), math.ceil(tall)
    large = np.asarray(cv2.warpAffine(ink, matrix, size, flags=cv2.INTER_CUBIC), np.uint8)
    sharp = _weighted(cropped(np.asarray(cv2.LUT(large, SHARP), np.uint8)), options.weight * options.height)
    return sharp if sharp.size and sharp.max() > 127 else DOT


def _weighted(ink: np.ndarray, more: float) -> np.ndarray:
    """Strokes thicker by `more` pixels, or thinner where it is negative, by half at most; those that would break stay
    as they are."""
    if more < 0:
        more = max(more, -THINNEST * stroke_width((ink > 127).astype(np.uint8)))
    reach = round(abs(more))
    if not reach or not ink.size:
        return ink
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach + 1, reach + 1))
    room = np.pad(ink, reach)
    if more > 0:
        return cropped(np.asarray(cv2.dilate(room, kernel), np.uint8))
    thin = np.asarray(cv2.erode(room, kernel), np.uint8)
    pieces, before = (cv2.connectedComponents((one > 127).astype(np.uint8))[0] for one in (thin, ink))
    whole = pieces <= before and cv2.countNonZero(thin) > LEAST_INK * cv2.countNonZero(ink)
    return cropped(thin) if whole else ink


def _dusted(glyph: np.ndarray) -> np.ndarray:
    """A glyph without its specks."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(glyph, connectivity=8)
    if count <= 2:
        return glyph
    areas = stats[:, cv2.CC_STAT_AREA]
    kept = areas >= DUST * areas[1:].sum()
    kept[0] = True
    return np.asarray(glyph * kept[pieces], np.uint8)


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


def _draw_form(alpha: np.ndarray, boxes: list[Box], options: PageOptions, rng: np.random.Generator) -> None:
    """Draw a form's lines around the characters of a line, (x, y, width, height) each from the left."""
    pen = max(1, round(options.height * rng.uniform(*FORM_PEN)))
    left, top, right, bottom = (options.height * rng.uniform(*FORM_GAP) + pen for _ in range(4))
    low, high = min(y for _, y, _, _ in boxes) - top, max(y + h for _, y, _, h in boxes) + bottom
    start, end = boxes[0][0] - left, max(x + w for x, _, w, _ in boxes) + right
    lines = [(start, high, end, high)]
    if options.form != "underline":
        lines += [(start, low, end, low), (start, low, start, high), (end, low, end, high)]
    if options.form == "cells":
        middles = [(a[0] + a[2] + b[0]) / 2 for a, b in pairwise(boxes)]
        lines += [(middle, low, middle, high) for middle in middles]
    for x0, y0, x1, y1 in np.rint(lines).astype(int).tolist():
        cv2.line(alpha, (x0, y0), (x1, y1), 255, pen)


def _drop(sign: str, height: float) -> int:
    """Rows from the base line down to a sign's foot."""
    lowest = min(min(y0, y1) for _, y0, _, y1 in SIGN_SHAPES[sign])
    return -round(lowest * height)


# --- paper and camera ------------------------------------------------------------------------------------------------


def _photographed(alpha: np.ndarray, bend: Bend | None, options: PageOptions, rng: np.random.Generator) -> np.ndarray:
    ink, ground = ((230, 236, 236), (58, 66, 52)) if options.chalk else (options.ink, options.paper)
    if options.flat:
        if bend is not None:
            alpha = np.asarray(cv2.warpPerspective(alpha, bend.matrix, bend.size), np.uint8)
        image = flat_print(alpha, ink, ground, options.flow)
    else:
        grain = options.texture * (0.35 if options.chalk else 0.05)
        pen = Pen(ink, 0.1, flow=options.flow, grain=min(grain, 1.0))
        paper = Paper(
            ground,
            texture=options.texture * Paper.texture,
            rules=options.rules,
            spacing=max(4, round(options.spacing * options.height)),
            pattern=options.pattern,
            light=options.light,
            shadow=options.shadow,
        )
        share = flowed(alpha.astype(np.float32) / 255, pen, rng, tiled)
        picture = printed(share, pen, paper, rng, Lens(options.blur, options.noise), bend, tiled)
        image = np.asarray(np.clip(np.rint(picture), 0, 255), np.uint8)
    if options.jpeg:
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, options.jpeg])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return image
