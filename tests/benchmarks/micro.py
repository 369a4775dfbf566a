"""Micro-benchmarks of the runtime's stages, by pytest-benchmark: `make micro`.  Its name keeps it out of `make test`.

`--benchmark-autosave` and `--benchmark-compare` hold a change against the last run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glyphlite.runtime import Recognizer
from glyphlite.runtime.bundle import samples_folder
from glyphlite.runtime.glyph import mnist
from glyphlite.runtime.image import read_image
from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import find_lines, main_characters
from glyphlite.runtime.recognizer import softmax
from glyphlite.runtime.rules import without_rules

SAMPLE = samples_folder() / "4-squared.png"


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    """The default model."""
    return Recognizer.load()


def test_decode(benchmark: Any) -> None:
    benchmark(read_image, SAMPLE.read_bytes())


def test_ink(benchmark: Any) -> None:
    benchmark(find_ink, read_image(SAMPLE)[0])


def test_rules(benchmark: Any) -> None:
    benchmark(without_rules, find_ink(read_image(SAMPLE)[0]))


def test_layout_of_a_character(benchmark: Any) -> None:
    benchmark(main_characters, without_rules(find_ink(read_image(SAMPLE)[0])))


def test_layout_of_lines(benchmark: Any) -> None:
    benchmark(find_lines, without_rules(find_ink(read_image(SAMPLE)[0])))


def test_glyph(benchmark: Any) -> None:
    one = main_characters(without_rules(find_ink(read_image(SAMPLE)[0])))[0]
    benchmark(mnist, one.soft, 28, one.stroke)


@pytest.mark.parametrize("count", [1, 32, 256])
def test_engine(benchmark: Any, recognizer: Recognizer, count: int) -> None:
    benchmark(recognizer.engine.run, np.zeros((count, *recognizer.card.input_shape), np.uint8))


def test_softmax(benchmark: Any) -> None:
    logits = np.zeros((1, 10), np.float32)
    benchmark(softmax, logits)


def test_bytes_to_label(benchmark: Any, recognizer: Recognizer) -> None:
    benchmark(recognizer.predict, SAMPLE.read_bytes())


def test_bytes_to_text(benchmark: Any, recognizer: Recognizer) -> None:
    benchmark(recognizer.read, SAMPLE.read_bytes())
