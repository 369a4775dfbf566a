"""Pictures of words from a set of single letters that knows which word each belongs to (MIT's OCR set, Taskar 2004):
`python -m glyphlite.train.words LETTERS.npz OUT`.

The set is an `.npz` of `images` (N, H, W) 0 or 1, `labels` 0 to 25, `word_id` and `is_test`, in the words' order.  OUT
gets the folders `train` and `test`, each with a `labels.csv` (file, text), and `words.txt`, the words of both.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from ..runtime.errors import DatasetError, counted
from ..runtime.explain import save_picture
from ..runtime.files import write_bytes, write_csv
from ..runtime.labels import LABELS_FILE
from .datasets import NPZ_ERRORS

ENLARGED = 4  # times: letters of 16 × 8 pixels become as large as a pen's
SMOOTHING = 1.6  # pixels, Gaussian sigma of the enlarged letter, whose edge is a staircase else
GAP = 1  # pixels between two letters, before they are enlarged
MARGIN = 6  # pixels around a word, likewise
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def word_picture(letters: np.ndarray) -> np.ndarray:
    """(H, W) uint8, dark on white, of letters (n, h, w) 0 or 1, each cropped to its columns."""
    parts = []
    for letter in letters:
        columns = np.flatnonzero(letter.any(0))
        inked = letter[:, columns[0] : columns[-1] + 1] if len(columns) else letter
        parts += [inked, np.zeros((letter.shape[0], GAP), letter.dtype)]
    line = np.pad(np.concatenate(parts[:-1], 1), MARGIN)
    large = cv2.resize(line.astype(np.uint8) * 255, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_NEAREST)
    smooth = cv2.GaussianBlur(large, (0, 0), SMOOTHING)
    return np.asarray(255 - np.clip((smooth.astype(np.int16) - 128) * 3 + 128, 0, 255), np.uint8)


def save_words(source: Path, out: Path) -> tuple[int, int]:
    """Write the pictures; how many there are to train on, and to test by.  Raises DatasetError for another file."""
    try:
        with np.load(source) as arrays:
            images, labels, words, tests = (arrays[key] for key in ("images", "labels", "word_id", "is_test"))
    except NPZ_ERRORS as error:
        raise DatasetError(f"{source}: no letters of words ({error})") from None
    fits = images.ndim == 3 and labels.shape == words.shape == tests.shape == images.shape[:1]
    if not fits or labels.dtype.kind not in "iu" or not set(labels.tolist()) <= {*range(len(LETTERS))}:
        found = f"labels of {labels.dtype} {labels.shape}, images of {images.shape}"
        raise DatasetError(f"{source}: {found}; wanted as many letters by number, 0 to {len(LETTERS) - 1}")
    starts = np.flatnonzero(np.r_[True, words[1:] != words[:-1]])
    counts, texts = [0, 0], set()
    tables: list[list[tuple[str, str]]] = [[("file", "text")], [("file", "text")]]
    for first, end in zip(starts, [*starts[1:], len(words)], strict=True):
        text = "".join(LETTERS[label] for label in labels[first:end])
        part = int(bool(tests[first]))
        name = f"{counts[part]:05d}.png"
        counts[part] += 1
        texts.add(text)
        tables[part].append((name, text))
        save_picture(out / ("train", "test")[part] / name, word_picture(images[first:end]))
    for folder, rows in zip(("train", "test"), tables, strict=True):
        write_csv(out / folder / LABELS_FILE, rows)
    write_bytes(out / "words.txt", ("\n".join(sorted(texts)) + "\n").encode())
    return counts[0], counts[1]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m glyphlite.train.words", description=__doc__)
    parser.add_argument("letters", type=Path, metavar="LETTERS.npz")
    parser.add_argument("out", type=Path, metavar="OUT")
    arguments = parser.parse_args()
    try:
        train, test = save_words(arguments.letters, arguments.out)
    except DatasetError as error:
        parser.error(str(error))
    print(f"{counted(train, 'word')} to train on, {test} to test by, in {arguments.out}")


if __name__ == "__main__":
    main()
