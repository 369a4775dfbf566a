"""Pictures of what every stage made of an image, so that a person sees why it was read so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .answers import JointTrace, LatticeTrace, StripTrace, Trace
from .files import write_bytes
from .image import Pixels

GREEN, RED, BLUE, GREY = (60, 160, 40), (40, 40, 210), (200, 110, 30), (150, 150, 150)  # BGR
CELL = 84  # pixels: a candidate's glyph and its label under it
GLYPH_SHOWN = 56  # pixels
COLUMNS = 12  # candidates a row
STRIP_SCALE = 4  # times that a strip is enlarged
FRAME_ROWS = 16  # pixels of a row of the frames' picture
LINE_SHOWN = 160  # pixels of a line's height at least
PICTURES = ("", ".png", ".jpg", ".jpeg", ".webp")  # suffixes of what is written; '' is PNG


def annotated(trace: Trace) -> Pixels:
    """The image as it was read, a large one reduced, with a box and a label for each character; BGR."""
    picture = _colour(trace.pixels)
    thickness = max(1, round(max(picture.shape) / 600))
    for line in trace.reading.lines:
        for character in line.characters:
            x, y, width, height = (side // trace.reduction for side in character.box or (0, 0, 0, 0))
            colour = BLUE if character.glyph is None else GREEN
            cv2.rectangle(picture, (x, y), (x + width, y + height), colour, thickness)
            size = max(0.4, min(height / 60, 3.0))
            place = (x, y - 2 * thickness) if y > 25 * size else (x, y + height + round(25 * size))
            cv2.putText(picture, str(character.label), place, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness + 1)
    return picture


def stages(trace: Trace) -> dict[str, Pixels]:
    """A BGR picture of what every stage made of an image, by its name, in the order of the stages."""
    pictures: dict[str, Pixels] = {
        "1-image": _colour(trace.pixels),
        "2-ink": _colour(np.asarray(255 - trace.ink.soft, np.uint8)),
    }
    for number, line in enumerate(trace.lines, 1):
        for part in (line.lattice, line.strip) if isinstance(line, JointTrace) else (line,):
            if isinstance(part, StripTrace):
                pictures[f"3-line-{number}-strip"] = _strip(part)
                pictures[f"4-line-{number}-frames"] = _frames(part)
            else:
                pictures[f"3-line-{number}-cuts"] = _cuts(part)
                pictures[f"4-line-{number}-candidates"] = _candidates(part)
    return pictures


def explain(trace: Trace, folder: Path) -> list[Path]:
    """Write a PNG of every stage, in the place of those of another image.  Returns their paths, in the order of the
    stages."""
    folder.mkdir(parents=True, exist_ok=True)
    for before in folder.glob("[34]-line-*.png"):
        before.unlink()
    paths = []
    for name, picture in stages(trace).items():
        paths.append(folder / f"{name}.png")
        save_picture(paths[-1], picture)
    return paths


def save_picture(path: Path, picture: Pixels) -> None:
    """Write a picture, whole or not at all, as what the file's name says; PNG where it says nothing."""
    _, data = cv2.imencode(path.suffix if path.suffix.lower() in PICTURES[1:] else ".png", picture)
    write_bytes(path, data.tobytes())


def _cuts(trace: LatticeTrace) -> Pixels:
    """A line, upright, with its cuts, and boxes around what was read."""
    line = trace.line
    scale = max(1, -(-LINE_SHOWN // line.soft.shape[0]))
    picture = _colour(np.asarray(255 - line.soft, np.uint8).repeat(scale, 0).repeat(scale, 1))
    for primitive in trace.lattice.primitives:
        if primitive.ink > 0:
            x = primitive.left * scale
            cv2.line(picture, (x, 0), (x, picture.shape[0]), RED, 1)
    for index, _ in _steps(trace):
        x, y, width, height = (scale * side for side in trace.lattice.spans[index].box)
        cv2.rectangle(picture, (x, y), (x + width - 1, y + height - 1), GREEN, 2)
    return picture


def _candidates(trace: LatticeTrace) -> Pixels:
    """Every candidate as the network saw it, with its best label; those on the best way in green."""
    read = {index for index, _ in _steps(trace)}
    cells = []
    for index, (glyph, row) in enumerate(zip(trace.glyphs, trace.probabilities, strict=True)):
        cell = np.full((CELL, CELL, 3), 255, np.uint8)
        margin = (CELL - GLYPH_SHOWN) // 2
        shown = cv2.resize(glyph, (GLYPH_SHOWN, GLYPH_SHOWN), interpolation=cv2.INTER_NEAREST)
        cell[2 : 2 + GLYPH_SHOWN, margin : margin + GLYPH_SHOWN] = shown[..., None]
        text = f"{trace.labels[int(row.argmax())]} {100 * float(row.max()):.0f}%"
        colour = GREEN if index in read else GREY
        cv2.putText(cell, text, (6, CELL - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
        if index in read:
            cv2.rectangle(cell, (1, 1), (CELL - 2, CELL - 2), GREEN, 2)
        cells.append(cell)
    columns = min(COLUMNS, len(cells))
    cells += [np.full((CELL, CELL, 3), 255, np.uint8)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], 1) for i in range(0, len(cells), columns)]
    return np.concatenate(rows)


def _strip(trace: StripTrace) -> Pixels:
    """The strip as the network saw it, with a line at the frame that says each character."""
    picture = _colour(np.asarray(255 - trace.strip.image, np.uint8).repeat(STRIP_SCALE, 0).repeat(STRIP_SCALE, 1))
    for one in trace.aligned:
        x = round((one.peak + 0.5) / len(trace.log_probabilities) * picture.shape[1])
        cv2.line(picture, (x, 0), (x, picture.shape[0]), GREEN, 1)
        cv2.putText(
            picture, trace.labels[one.column - 1], (x + 3, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, GREEN, 1, cv2.LINE_AA
        )
    return picture


def _frames(trace: StripTrace) -> Pixels:
    """What each frame says: a row for the blank and for each label, the darker the more probable."""
    probabilities = np.exp(trace.log_probabilities).T
    wide = max(1, round(STRIP_SCALE * trace.strip.image.shape[1] / probabilities.shape[1]))
    cells = np.asarray(255 - np.rint(255 * probabilities), np.uint8).repeat(FRAME_ROWS, 0).repeat(wide, 1)
    picture = _colour(cv2.copyMakeBorder(cells, 0, 0, FRAME_ROWS, 0, cv2.BORDER_CONSTANT, value=255))
    for row, label in enumerate(trace.labels, 1):
        place = (4, (row + 1) * FRAME_ROWS - 4)
        cv2.putText(picture, label, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, GREY, 1, cv2.LINE_AA)
    return picture


def _steps(trace: LatticeTrace) -> tuple[tuple[int, str], ...]:
    return trace.ways[0].steps if trace.ways else ()


def _colour(image: NDArray[Any]) -> Pixels:
    """A BGR copy."""
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR) if image.ndim == 2 else image.copy(), np.uint8)
