"""Lines of writing with their text: made of a set's glyphs, or found in a folder of labelled photos.

A line is kept as the strip that a line reader takes, as the runtime's own stages find it in a photo: what training sees
is what reading sees.  A file of lines is an `.npz`: `pixels` (STRIP_HEIGHT, columns) uint8, all strips side by side;
`ends` (N,) int64, the column after each; `texts` (N,); `held_out` (N,) bool, lines of glyphs that are not trained on.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np

from ..runtime.cores import usable_cores
from ..runtime.errors import DatasetError, ImageError
from ..runtime.files import write_bytes
from ..runtime.image import load_image
from ..runtime.labels import LABELS_FILE, read_labels
from ..runtime.layout import find_lines
from ..runtime.rules import written_ink
from ..runtime.strip import line_strip
from .datasets import NPZ_ERRORS, Dataset, part_training_set
from .mixture import DIGITS, DRAWN_HAND, check_digits, outliers
from .pages import Page, PageOptions, compose
from .strokes import digit_glyphs

LINES_SUFFIX = ".npz"
OTHER = "?"  # in a text to be written: what is no character
FLAGGED_ONE, CROSSED_SEVEN = "\u2460", "\u2466"  # in a text to be written: a 1 and a 7 as Europeans write them
EUROPEAN = {
    FLAGGED_ONE: (("1", "flagged"), ("1", "long-flagged"), ("1", "ticked")),
    CROSSED_SEVEN: (("7", "crossed"), ("7", "crossed-serif"), ("7", "low-crossed"), ("7", "serif")),
}
EUROPEAN_SHARE = 0.5  # of the lines: their 1 and 7 are all such, as one hand writes them
EUROPEAN_GLYPHS = 6000  # of each of the two
SILENT = {OTHER: "", "=": "", FLAGGED_ONE: "1", CROSSED_SEVEN: "7"}  # what is labelled otherwise than it is written
HOLDOUT = 1 / 12
DRAWN_SHARE = 0.5  # of the digits: drawn in styles that a set may lack
OTHERS = 4000  # glyphs that are no character, of each part
COVERED = 0.7  # of a digit's width: a line that holds less of one is not what was written
SHEET_LINES, SHEET_COLUMNS, SHEET_WIDTH = 60, 4, 240
CHUNK = 250  # lines that a worker makes at once

Say = Callable[[str], None]


@dataclass(frozen=True)
class Lines:
    """Strips (STRIP_HEIGHT, w) uint8, bright on black, and what each says.

    classes: the characters in the texts.  files: of a folder, where each comes from.
    """

    name: str
    strips: Sequence[np.ndarray]
    texts: tuple[str, ...]
    classes: tuple[str, ...]
    files: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def subset(self, indices: Sequence[int] | np.ndarray) -> Lines:
        """These lines only."""
        return replace(
            self,
            strips=[self.strips[i] for i in indices],
            texts=tuple(self.texts[i] for i in indices),
            files=tuple(self.files[i] for i in indices) if self.files else (),
        )

    def sha256(self) -> str:
        """Hash of pixels and texts."""
        digest = hashlib.sha256(repr(self.texts).encode())
        for strip in self.strips:
            digest.update(np.ascontiguousarray(strip).data)
        return digest.hexdigest()


# --- made lines ------------------------------------------------------------------------------------------------------


def line_text(rng: np.random.Generator) -> str:
    """What a line says: a number, an amount, a date, a meter's reading; sometimes with what is no character."""
    kind = rng.random()
    if kind < 0.04:
        return OTHER * int(rng.integers(1, 6))
    if kind < 0.36:
        text = _digits(_length(rng), rng)
    elif kind < 0.46:  # the same few digits: 11, 0010, 717
        few = rng.choice(10, 2, replace=False)
        text = "".join(str(digit) for digit in rng.choice(few, _length(rng)))
    elif kind < 0.80:
        text = _amount(rng)
    elif kind < 0.87:
        sign = str(rng.choice(list("./-")))
        year = _digits(int(rng.choice([2, 4])), rng)
        text = f"{rng.integers(1, 32):02d}{sign}{rng.integers(1, 13):02d}{sign}{year}"
    elif kind < 0.93:
        text = _digits(int(rng.integers(4, 9)), rng, leading=True)
    else:
        signs = list(".,-: ")
        text = "".join(d + (str(rng.choice(signs)) if rng.random() < 0.3 else "") for d in _digits(_length(rng), rng))
    if rng.random() < 0.02:
        text = OTHER + text if rng.random() < 0.5 else text + OTHER
    return text.strip()


def _length(rng: np.random.Generator) -> int:
    return int(rng.choice(np.arange(1, 11), p=[0.08, 0.1, 0.16, 0.18, 0.16, 0.12, 0.08, 0.06, 0.03, 0.03]))


def _digits(count: int, rng: np.random.Generator, leading: bool = False) -> str:
    text = "".join(map(str, rng.integers(0, 10, count)))
    return "0" * int(rng.integers(0, 3)) + text[: count - 1] if leading else text


def _amount(rng: np.random.Generator) -> str:
    text = _digits(int(rng.integers(1, 7)), rng)
    if rng.random() < 0.5:  # round amounts end in zeros
        zeros = int(rng.integers(0, len(text)))
        text = text[: len(text) - zeros] + "0" * zeros
    group = str(rng.choice(["", "", ".", ",", " "]))
    if group and len(text) > 3:
        text = text[:-3] + group + text[-3:]
    end = str(rng.choice(["", "", ",-", ".-", "-", "--", "cents", ",00", ".00", ".", ".-", "=", ".=", ".--"]))
    return text + (str(rng.choice([".", ","])) + _digits(2, rng) if end == "cents" else end)


def line_options(rng: np.random.Generator) -> PageOptions:
    """How a line is written and photographed, drawn anew for each."""
    height = float(np.exp(rng.uniform(np.log(18), np.log(52))))
    rough = rng.random() < 0.8  # the rest is clean
    dark = rng.integers(0, 110, 3)
    light = rng.integers(150, 256) + rng.integers(-25, 26, 3)
    return PageOptions(
        height=height,
        jitter=rng.uniform(0.03, 0.13),
        aspect=rng.uniform(0.05, 0.25),
        slant=0.15,
        drift=rng.uniform(0.01, 0.07),
        weight=rng.uniform(-0.07, 0.03),
        small_zeros=0.3,
        links=0.3,
        touching=float(rng.choice([0, 0.15, 0.4, 0.8])),
        margin=rng.uniform(0.15, 0.9),
        form=str(rng.choice(["", "underline", "frame", "cells"], p=[0.86, 0.08, 0.03, 0.03])),
        rules=str(rng.choice(["", "lines", "squares"], p=[0.7, 0.15, 0.15])) if rough else "",
        pattern=str(rng.choice(["", "waves", "guilloche"], p=[0.5, 0.25, 0.25])) if rough else "",
        spacing=rng.uniform(0.3, 1.2),
        ink=(int(dark[0]), int(dark[1]), int(dark[2])),
        paper=(int(min(light[0], 255)), int(min(light[1], 255)), int(min(light[2], 255))),
        flow=rng.uniform(0.6, 1.0),
        texture=rng.uniform(0.3, 2.0) if rough else 0.0,
        light=rng.uniform(0, 0.3) if rough else 0.0,
        shadow=rng.uniform(0, 0.3) if rough and rng.random() < 0.3 else 0.0,
        blur=rng.uniform(0.01, 0.035) * height if rough else 0.0,
        noise=rng.uniform(0, 6) if rough else 0.0,
        jpeg=int(rng.integers(35, 96)) if rng.random() < 0.6 else 0,
        perspective=rng.uniform(0, 0.02) if rough else 0.0,
        rotation=rng.uniform(0, 1.5),
        chalk=rough and rng.random() < 0.03,
    )


def found_strip(image: np.ndarray) -> tuple[np.ndarray, tuple[float, float]] | None:
    """The strip of the largest line that the runtime finds in an image, and that line's first and last column in the
    image; None where it finds none."""
    lines = find_lines(written_ink(image))
    if not lines:
        return None
    line = max(lines, key=lambda one: int(one.mask.sum()))
    return line_strip(line).image, (line.left / line.scale, (line.left + line.mask.shape[1]) / line.scale)


def _is_whole(page: Page, extent: tuple[float, float]) -> bool:
    """Whether a found line holds every digit that was written."""
    for mark in page.marks:
        left, _, width, _ = mark.box
        inside = min(extent[1], left + width) - max(extent[0], left)
        if SILENT.get(mark.label, mark.label) in DIGITS and inside < COVERED * width:
            return False
    return True


class _Maker:
    """Lines by number.  Each process makes one, of the same glyphs."""

    def __init__(self, parts: tuple[Dataset, Dataset], seed: int) -> None:
        self._parts, self._seed = parts, seed
        cv2.setNumThreads(1)

    def make(self, number: int) -> tuple[np.ndarray, str, bool]:
        """The strip, the text and whether it is held out."""
        held_out = number % round(1 / HOLDOUT) == 0
        rng = np.random.default_rng((self._seed, number))
        while True:
            text = line_text(rng)
            if rng.random() < EUROPEAN_SHARE:
                text = text.replace("1", FLAGGED_ONE).replace("7", CROSSED_SEVEN)
            page = compose(self._parts[held_out], line_options(rng), rng, text)
            found = found_strip(page.image)
            if found is not None and _is_whole(page, found[1]):
                label = "".join(SILENT.get(mark.label, mark.label) for mark in page.marks)
                return found[0], label, held_out


_maker: _Maker


def _start(parts: tuple[Dataset, Dataset], seed: int) -> None:
    global _maker  # a worker's own
    _maker = _Maker(parts, seed)


def _chunk(numbers: range) -> list[tuple[np.ndarray, str, bool]]:
    return [_maker.make(number) for number in numbers]


def make_lines(digits: Dataset, count: int, seed: int = 0, workers: int = 0) -> Iterator[tuple[np.ndarray, str, bool]]:
    """`count` lines of a data set's glyphs and of drawn ones: strip, text, and whether it is held out; the same for the
    same seed.  workers: processes, 0: as many as there are cores.

    Raises TrainingError where the data set has not the ten digits in MNIST's size.
    """
    check_digits(digits)
    training, held_out = part_training_set(digits, HOLDOUT, 0, 0)
    start = partial(_start, (_with_drawn(training, seed), _with_drawn(held_out, seed)), seed)
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    context = get_context("spawn")
    with ProcessPoolExecutor(workers or usable_cores(), context, start) as pool:
        for made in pool.map(_chunk, chunks):
            yield from made


def _with_drawn(part: Dataset, seed: int) -> Dataset:
    """A part with drawn digits; under OTHER what is no character, under EUROPEAN's names those styles."""
    rng = np.random.default_rng((seed, len(part)))
    images, labels = digit_glyphs(round(len(part) * DRAWN_SHARE / (1 - DRAWN_SHARE)), rng, hand=DRAWN_HAND)
    pictures = [part.images, images, outliers(OTHERS, part, rng)]
    pictures += [digit_glyphs(EUROPEAN_GLYPHS, rng, chosen, DRAWN_HAND)[0] for chosen in EUROPEAN.values()]
    more = [np.full(len(one), len(part.classes) + number) for number, one in enumerate(pictures[2:])]
    return replace(
        part,
        images=np.concatenate(pictures),
        labels=np.concatenate([part.labels, labels, *more]),
        classes=(*part.classes, OTHER, *EUROPEAN),
    )


def save_lines(path: Path, strips: Sequence[np.ndarray], texts: Sequence[str], held_out: Sequence[bool]) -> None:
    """Write a file of lines."""
    data = io.BytesIO()
    np.savez_compressed(
        data,
        pixels=np.concatenate(list(strips), 1),
        ends=np.cumsum([strip.shape[1] for strip in strips]),
        texts=np.array(texts),
        held_out=np.array(held_out, bool),
    )
    write_bytes(path, data.getvalue())


def sheet(strips: Sequence[np.ndarray], texts: Sequence[str]) -> np.ndarray:
    """(H, W) uint8: the first lines, each with its text under it."""
    cells = []
    for strip, text in zip(strips[:SHEET_LINES], texts, strict=False):
        height, wide = strip.shape[0], min(strip.shape[1], SHEET_WIDTH)
        cell = np.zeros((height + 16, SHEET_WIDTH), np.uint8)
        cell[:height, :wide] = strip[:, :wide]
        cv2.putText(cell, text, (2, height + 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1, cv2.LINE_AA)
        cells.append(cell)
    cells += [np.zeros_like(cells[0])] * (-len(cells) % SHEET_COLUMNS)
    return np.concatenate([np.concatenate(cells[i::SHEET_COLUMNS]) for i in range(SHEET_COLUMNS)], 1)


# --- lines of a file or a folder -------------------------------------------------------------------------------------


def is_lines(path: Path) -> bool:
    """Whether a path is a file of lines, or a folder with `labels.csv`."""
    if path.is_dir():
        return (path / LABELS_FILE).is_file()
    if path.suffix != LINES_SUFFIX or not path.is_file():
        return False
    try:
        with np.load(path) as arrays:
            return "texts" in arrays
    except NPZ_ERRORS:
        return False


def load_lines(path: Path, holdout: float, seed: int, say: Say = print) -> tuple[Lines, Lines]:
    """The lines to train on and those held out.

    Of a folder with `labels.csv` (file, text) the held-out ones are drawn by seed, and what holds no line is counted.
    Raises DatasetError where a file, a column or an image is missing, or one of the parts is empty.
    """
    if path.is_dir():
        lines = read_lines_folder(path, say)
        order = np.random.default_rng(seed).permutation(len(lines))
        apart = max(1, round(holdout * len(lines)))
        return _both(lines, np.sort(order[apart:]), np.sort(order[:apart]))
    try:
        with np.load(path) as arrays:
            pixels, ends, texts, held = (arrays[key] for key in ("pixels", "ends", "texts", "held_out"))
    except NPZ_ERRORS as error:
        raise DatasetError(f"{path}: no file of lines ({error}); `glyphlite data lines` makes one") from None
    starts = np.concatenate([[0], ends[:-1]])
    strips = [pixels[:, a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    lines = Lines(path.stem, strips, tuple(map(str, texts)), _alphabet(texts))
    return _both(lines, np.flatnonzero(~held), np.flatnonzero(held))


def _both(lines: Lines, learned: np.ndarray, held: np.ndarray) -> tuple[Lines, Lines]:
    if not (len(learned) and len(held)):
        found = f"{len(learned)} lines to learn from, {len(held)} held out"
        raise DatasetError(f"{lines.name}: {found}; wanted some of both")
    return lines.subset(learned), lines.subset(held)


def read_lines_folder(folder: Path, say: Say = print) -> Lines:
    """The lines of a folder's photos, named by its `labels.csv`."""
    path = folder / LABELS_FILE
    rows = read_labels(folder)
    strips, texts, files, lost = [], [], [], []
    for row in rows:
        try:
            image = load_image(folder / row["file"])
        except ImageError as error:
            raise DatasetError(f"{path}: {error}") from None
        found = found_strip(image)
        if found is None:
            lost.append(row["file"])
        else:
            strips.append(found[0])
            texts.append(row["text"])
            files.append(row["file"])
    if lost:
        say(f"{len(lost)} of {len(rows)} images hold no line that is found: {', '.join(lost[:5])}")
    if not texts:
        raise DatasetError(f"{folder}: no line is found in its images")
    return Lines(folder.name, strips, tuple(texts), _alphabet(texts), tuple(files))


def with_classes(lines: Lines, classes: tuple[str, ...]) -> Lines:
    """The same lines by these characters.  Raises DatasetError naming the line and a character that is none of them."""
    for name, text in zip(lines.files or lines.texts, lines.texts, strict=True):
        for character in text:
            if character not in classes:
                known = "".join(classes)
                raise DatasetError(f"{lines.name}: {name}: {character!r} in {text!r}; the reader knows {known}")
    return replace(lines, classes=classes)


def _alphabet(texts: Sequence[str] | np.ndarray) -> tuple[str, ...]:
    return tuple(sorted(set().union(*map(set, map(str, texts)))))
