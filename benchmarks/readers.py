"""Other readers on the same photos, in turn with ours: RapidOCR and Tesseract, where they are installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from ..runtime import Recognizer
from .contenders import Skipped
from .photos import Outcome, Photo, Summary, distance, judge_photo, kept, summarise

TIMEOUT_S = 60  # of Tesseract on one image
ORDER_SEED = 0

Read = Callable[[Photo], str]


@dataclass(frozen=True)
class Reader:
    """name: with its version.  read: a photo's text."""

    name: str
    read: Read


@dataclass(frozen=True)
class Beside:
    """A reader beside ours.  ratio: the median over the photos of its time by ours."""

    name: str
    summary: Summary
    ratio: float


def open_readers() -> tuple[list[Reader], list[Skipped]]:
    """The readers that are installed, one thread each, and why the others are not."""
    found, skipped = [], []
    if importlib.util.find_spec("rapidocr_onnxruntime"):
        name, (as_called, recognition) = f"RapidOCR {version('rapidocr-onnxruntime')}", _rapidocr()
        found += [Reader(f"{name}, recognition only", recognition), Reader(f"{name}, as it is called", as_called)]
    else:
        skipped.append(Skipped("RapidOCR", "not installed: pip install --no-deps rapidocr-onnxruntime"))
    if tool := shutil.which("tesseract"):
        told = subprocess.run([tool, "--version"], capture_output=True, text=True, check=False)
        found.append(Reader(f"Tesseract {told.stdout.split()[1]}, digits only", _tesseract(tool)))
    else:
        skipped.append(Skipped("Tesseract", "not installed: apt install tesseract-ocr"))
    return found, skipped


def judge_beside(
    recognizer: Recognizer,
    readers: Sequence[Reader],
    photos: Sequence[Photo],
    always_read: bool,
    expect: str | Sequence[str] | None = None,
) -> tuple[Summary, list[Beside]]:
    """Ours, which is told what to `expect`, and each reader on every photo, in a random order drawn anew for each: what
    slows the machine slows all."""
    rng = np.random.default_rng(ORDER_SEED)
    outcomes: list[list[Outcome]] = [[] for _ in range(1 + len(readers))]
    for photo in photos:
        for index in rng.permutation(len(outcomes)):
            if index == 0:
                outcomes[index].append(judge_photo(recognizer, photo, always_read, expect))
            else:
                outcomes[index].append(_judged(readers[index - 1], photo))
    ours = np.array([one.seconds for one in outcomes[0]])
    beside = [
        Beside(reader.name, summarise(found), float(np.median([one.seconds for one in found] / ours)))
        for reader, found in zip(readers, outcomes[1:], strict=True)
    ]
    return summarise(outcomes[0]), beside


def _judged(reader: Reader, photo: Photo) -> Outcome:
    start = time.perf_counter()
    try:
        got = kept(reader.read(photo))
    except Exception:  # each has errors of its own for an image that it cannot take
        got = ""
    seconds = time.perf_counter() - start
    return Outcome(photo, got, distance(got, kept(photo.text)), seconds)


def _rapidocr() -> tuple[Read, Read]:
    """With its search for lines, which is how it is called; and of its recognition alone."""
    from rapidocr_onnxruntime import RapidOCR

    engine: Any = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

    def as_called(photo: Photo) -> str:
        lines, _ = engine(str(photo.path))
        return "".join(str(text) for _, text, _ in lines or ())

    def recognition(photo: Photo) -> str:
        lines, _ = engine(str(photo.path), use_det=False, use_cls=False, use_rec=True)
        return "".join(str(line[0]) for line in lines or ())

    return as_called, recognition


def _tesseract(tool: str) -> Read:
    one_thread = {**os.environ, "OMP_THREAD_LIMIT": "1"}

    def read(photo: Photo) -> str:
        segmentation = "10" if len(kept(photo.text)) == 1 else "7"  # a single character; a single line
        command = [tool, str(photo.path), "-", "--psm", segmentation, "-c", "tessedit_char_whitelist=0123456789"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=one_thread, timeout=TIMEOUT_S)
        return done.stdout

    return read
