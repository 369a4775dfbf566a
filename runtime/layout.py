"""Ink to characters: which connected pieces belong together, and which are no writing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .ink import Ink, stroke_width

Pixels = NDArray[np.uint8]
Box = NDArray[Any]  # (x, y, width, height), integers

MIN_PIECE = 0.5  # squared stroke widths: a smaller piece is a speck
MAX_RIVALS = 3
RIVAL_SHARE = 0.6  # of the largest writing's longer side: what is as large may be a character as well
MIN_HEIGHT = 8  # pixels: a smaller character cannot be told from dirt
JOIN_STROKES = 2.5  # stroke widths: a loose bar this near belongs to the character
JOIN_SHARE = 0.12  # of the character's longer side: as well
LINE_SHARE = 0.5  # of the tallest piece's height: a piece as tall is a character's, and makes a line
LINE_OVERLAP = 0.4  # of the lower piece's height: pieces that overlap so far in height stand in one line
COMMA_BELOW = 0.2  # of a line's height under it: the middle of a comma may lie there
MAX_SLANT = 0.9  # horizontal shift per unit of height
FRAME_SPAN = 0.85  # of the image's width or height: a piece on the image's edge that spans this may be a frame
FRAME_BAND = 0.08  # of the image's width and height along each side:
FRAME_SHARE = 0.5  # of the piece lies there if it is one
RULE_THICKNESS = 2.2  # stroke widths at most, on average: a piece that spans the image's width is a line then
BOX_BAND = 0.15  # of its shorter side, along each side of a piece:
BOX_SIDE = 0.88  # of each side has ink there if it is a box,
BOX_INSIDE = 0.3  # and what stands in it is as high as this share of it
UNDERLINE_FLAT = 5  # times as wide as high: a piece may be an underline


@dataclass(frozen=True)
class Character:
    """One character's ink.

    soft: (h, w) uint8, cropped to it, bright on black.  box: x, y, width, height in pixels of the original image.
    stroke: its pen's width in pixels of `soft`.
    """

    soft: Pixels
    box: tuple[int, int, int, int]
    stroke: float


def main_characters(ink: Ink) -> list[Character]:
    """The largest writing in the image with the loose strokes beside it, then what else is about as large: its
    rivals; none where there is no writing."""
    if ink.empty:
        return []
    labels, stats = _pieces(ink)
    usable = _writing(labels, stats, ink)
    found: list[Character] = []
    while usable and len(found) <= MAX_RIVALS:
        members = _joined(max(usable, key=lambda index: int(stats[index][4])), usable, stats, ink.stroke)
        character = _character(members, labels, stats, ink)
        least = RIVAL_SHARE * max(found[0].soft.shape) if found else MIN_HEIGHT
        if max(character.soft.shape) < least:
            break
        found.append(character)
        taken = set(members)
        usable = [index for index in usable if index not in taken]
    return found


def _joined(first: int, usable: list[int], stats: NDArray[Any], stroke: float) -> list[int]:
    """A piece and those near it: a joined piece may bring the next one within reach."""
    members, box = [first], stats[first, :4]
    rest = np.array([index for index in usable if index != first], np.int64)
    while True:
        reach = max(JOIN_STROKES * stroke, JOIN_SHARE * max(box[2:4]))
        near = _gaps(stats[rest, :4], box) <= reach
        if not near.any():
            return members
        members += rest[near].tolist()
        rest = rest[~near]
        box = _union(stats[members, :4])


def _character(members: list[int], labels: NDArray[Any], stats: NDArray[Any], ink: Ink) -> Character:
    x, y, width, height = (int(value) for value in _union(stats[members, :4]))
    keep = np.zeros(len(stats), np.uint8)
    keep[members] = 1
    chosen = keep[labels[y : y + height, x : x + width]]
    soft = ink.soft[y : y + height, x : x + width] * chosen
    place = tuple(round(value / ink.scale) for value in (x, y, width, height))
    return Character(soft, (place[0], place[1], place[2], place[3]), stroke_width(chosen))


@dataclass(frozen=True)
class Line:
    """A line of writing, its slant undone.

    soft, mask: (h, w) uint8 as of Ink.  height: of its characters, pixels.  stroke: the pen's width, pixels.
    slant: the shift to the right per row that was put in.  left, top: of the line in the ink.  scale: the ink's.
    """

    soft: Pixels
    mask: Pixels
    height: float
    stroke: float
    slant: float
    left: int
    top: int
    scale: float

    def place(self, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
        """A box of the line (x, y, width, height) in pixels of the original image, the slant taken at its middle."""
        shift = self.slant * (y + height / 2) + max(0.0, -self.slant) * self.mask.shape[0]
        placed = (self.left + x - shift, self.top + y, width, height)
        a, b, c, d = (round(value / self.scale) for value in placed)
        return a, b, c, d


def find_lines(ink: Ink, deslant: bool = True) -> tuple[Line, ...]:
    """The lines of writing in an image, from the top; what is neither character nor beside one is left out.

    deslant: shear each until its strokes are upright.
    """
    if ink.empty:
        return ()
    labels, stats = _pieces(ink)
    usable = _writing(labels, stats, ink)
    if not usable:
        return ()
    tallest = int(stats[usable, 3].max())
    if tallest < MIN_HEIGHT:
        return ()
    tall = [index for index in usable if stats[index][3] >= LINE_SHARE * tallest]
    small = [index for index in usable if stats[index][3] < LINE_SHARE * tallest]
    centres = stats[:, 1] + stats[:, 3] / 2
    lines = []
    for group, top, bottom in _grouped(tall, stats):
        below = bottom + COMMA_BELOW * (bottom - top)
        low = [i for i in small if top <= centres[i] <= below]
        members = group + [i for i in low if not _on_edge(stats[i], ink)]  # there it is a neighbour's fragment
        height = float(np.percentile(stats[group, 3], 75))
        lines.append(_line(ink, labels, stats, members, height, deslant))
    return tuple(lines)


def _line(
    ink: Ink, labels: NDArray[Any], stats: NDArray[Any], members: list[int], height: float, deslant: bool
) -> Line:
    x, y, width, tall = (int(value) for value in _union(stats[members, :4]))
    chosen = np.isin(labels[y : y + tall, x : x + width], members)
    mask = chosen.astype(np.uint8)
    soft = ink.soft[y : y + tall, x : x + width] * mask
    slant = find_slant(mask) if deslant else 0.0
    upright = (shear(mask * np.uint8(255), slant) > 127).astype(np.uint8)
    return Line(shear(soft, slant) * upright, upright, height, ink.stroke, slant, x, y, ink.scale)


def find_slant(mask: Pixels) -> float:
    """The shift to the right per row that makes a line's steep strokes upright: the mean over their edges."""
    smooth = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    steep = (np.abs(down) < np.abs(across)) & (strength > 0.3 * strength.max())
    if not steep.any():
        return 0.0
    slant = float(np.average(down[steep] / across[steep], weights=strength[steep]))
    return min(max(slant, -MAX_SLANT), MAX_SLANT)


def shear(image: Pixels, slant: float) -> Pixels:
    """Shift each row to the right by slant × its number; the image is widened to hold all."""
    height, width = image.shape
    extra = int(np.ceil(abs(slant) * height))
    matrix = np.array([[1, slant, max(0.0, -slant) * height], [0, 1, 0]], np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, (width + extra, height), flags=cv2.INTER_LINEAR), np.uint8)


def _grouped(pieces: list[int], stats: NDArray[Any]) -> list[tuple[list[int], int, int]]:
    """Those that share most of their height, from the top; each group with its first row and the one below its last."""
    groups: list[tuple[list[int], int, int]] = []
    for index in sorted(pieces, key=lambda i: int(stats[i][1])):
        above, below = int(stats[index][1]), int(stats[index][1] + stats[index][3])
        for number, (group, top, bottom) in enumerate(groups):
            shared = min(bottom, below) - max(top, above)
            if shared / min(below - above, bottom - top) >= LINE_OVERLAP:
                group.append(index)
                groups[number] = (group, min(top, above), max(bottom, below))
                break
        else:
            groups.append(([index], above, below))
    return groups


def _pieces(ink: Ink) -> tuple[NDArray[Any], NDArray[Any]]:
    """Connected pieces of the ink: labels (H, W) int32, and of each label x, y, width, height, area."""
    x, y, width, height = cv2.boundingRect(ink.mask)  # most of a photo is paper
    if not width:  # no ink is left, and OpenCV dies of an empty array
        return np.zeros(ink.mask.shape, np.int32), np.zeros((1, 5), np.int32)
    _, inner, stats, _ = cv2.connectedComponentsWithStats(ink.mask[y : y + height, x : x + width], connectivity=8)
    labels = np.zeros(ink.mask.shape, np.int32)
    labels[y : y + height, x : x + width] = inner
    return labels, stats + np.array([x, y, 0, 0, 0], stats.dtype)


def _writing(labels: NDArray[Any], stats: NDArray[Any], ink: Ink) -> list[int]:
    """Labels of the pieces that may be writing: no specks, no frames, no underlines, no lines across the image."""
    smallest = max(4.0, MIN_PIECE * ink.stroke**2)
    pieces = [index for index in range(1, len(stats)) if stats[index][4] >= smallest]
    pieces = [index for index in pieces if not (_on_edge(stats[index], ink) and _is_frame(index, labels, stats, ink))]
    boxes = stats[pieces]
    pieces = [index for index in pieces if not _is_box(index, boxes, labels, stats)]
    boxes = stats[pieces]
    return [index for index in pieces if not _is_underline(stats[index], boxes, ink.stroke)]


def _is_frame(index: int, labels: NDArray[Any], stats: NDArray[Any], ink: Ink) -> bool:
    """Whether a piece that reaches the image's edge spans the image and lies along its sides, or is a line across."""
    width, height, area = (int(value) for value in stats[index][2:])
    rows, columns = ink.mask.shape
    if width < FRAME_SPAN * columns and height < FRAME_SPAN * rows:
        return False
    if width >= FRAME_SPAN * columns and area < RULE_THICKNESS * ink.stroke * width and height < width / 4:
        return True
    inner_x, inner_y = max(2, round(FRAME_BAND * columns)), max(2, round(FRAME_BAND * rows))
    inner = labels[inner_y : rows - inner_y, inner_x : columns - inner_x] == index
    return int(inner.sum()) < (1 - FRAME_SHARE) * area


def _is_box(index: int, pieces: NDArray[Any], labels: NDArray[Any], stats: NDArray[Any]) -> bool:
    """Whether a piece is a rectangle around others."""
    left, top, width, height, area = (int(value) for value in stats[index])
    band = max(2, round(BOX_BAND * min(width, height)))
    if min(width, height) < MIN_HEIGHT or area > 2 * band * (width + height):
        return False
    others = pieces[:, :4] - np.array([left, top, 0, 0], stats.dtype)  # itself, which is not inside of itself, too
    inside = (others[:, :2] > 0).all(1) & (others[:, :2] + others[:, 2:] < [width, height]).all(1)
    if not (inside & (others[:, 3] >= BOX_INSIDE * height)).any():
        return False
    piece = labels[top : top + height, left : left + width] == index
    sides = piece[:band].any(0), piece[-band:].any(0), piece[:, :band].any(1), piece[:, -band:].any(1)
    return all(float(side.mean()) >= BOX_SIDE for side in sides)


def _is_underline(stat: NDArray[Any], others: NDArray[Any], stroke: float) -> bool:
    """Whether a flat piece lies under others, and is longer than they are wide; it may be one of them itself."""
    left, top, width, height, area = (int(value) for value in stat)
    if width < UNDERLINE_FLAT * height or area > RULE_THICKNESS * stroke * width:
        return False
    others = others[(others[:, 0] < left + width) & (others[:, 0] + others[:, 2] > left) & (others[:, 3] > height)]
    inside = (others[:, 0] >= left) & (others[:, 0] + others[:, 2] <= left + width)
    above = others[:, 1] + others[:, 3] <= top + height
    return len(others) > 0 and bool((inside & above).all())


def _on_edge(stat: Box, ink: Ink) -> bool:
    x, y, width, height = (int(value) for value in stat[:4])
    rows, columns = ink.mask.shape
    return x == 0 or y == 0 or x + width == columns or y + height == rows


def _gaps(boxes: NDArray[Any], to: Box) -> NDArray[np.float64]:
    """(N,) pixels between each of (N, 4) boxes (x, y, width, height) and another; 0 where they overlap."""
    between = np.maximum(to[:2] - boxes[:, :2] - boxes[:, 2:], boxes[:, :2] - to[:2] - to[2:])
    across, down = np.maximum(between, 0).T
    return np.asarray(np.hypot(across, down))


def _union(boxes: NDArray[Any]) -> Box:
    low, high = boxes[:, :2].min(0), (boxes[:, :2] + boxes[:, 2:]).max(0)
    return np.concatenate([low, high - low])
