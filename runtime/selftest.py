"""Whether a model answers as it should, here: its samples are recognised again.

A bundle may hold `samples/` with images and a `labels.csv` (columns file, text); a model of digits is asked the
shipped ones where it holds none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .archive import SAMPLES
from .bundle import samples_folder
from .errors import ArtifactError
from .geometry import INK_GEOMETRIES
from .labels import LABELS_FILE, read_labels
from .recognizer import Recognizer

LEAST = 0.9  # share of the samples: kernels of other processors round otherwise
DIGITS = set("0123456789")


@dataclass(frozen=True)
class SelfTest:
    """How many of the samples were recognised."""

    right: int
    samples: int


def self_test(recognizer: Recognizer, folder: Path | None = None) -> SelfTest | None:
    """Recognise the samples in a bundle's folder, else the shipped ones; None where there are none of its kind: then
    that it computes numbers is all that can be told.

    Raises ArtifactError where less than LEAST are right, EngineError where it computes none.
    """
    card = recognizer.card
    samples = folder / SAMPLES if folder else None
    if samples is None or not (samples / LABELS_FILE).is_file():
        of_digits = set(card.labels) >= DIGITS if card.reads_lines else set(card.labels) == DIGITS
        if not (of_digits and (card.reads_lines or card.geometry in INK_GEOMETRIES)):
            height, width, channels = card.input_shape
            recognizer.engine.run(np.zeros((1, height, max(width, 64 if width < 0 else 1), channels), np.uint8))
            return None
        samples = samples_folder()
    wrong = []
    rows = read_labels(samples)
    for row in rows:
        path, text = samples / Path(row["file"]).name, row["text"]
        said = recognizer.read(path).text if card.reads_lines else recognizer.predict(path, min_confidence=0).label
        if said != text:
            wrong.append(f"{row['file']}: {said}, not {text}")
    if len(wrong) > (1 - LEAST) * len(rows):
        what = f"{len(rows) - len(wrong)} of {len(rows)} samples right"
        raise ArtifactError(f"{card.name}: fails its self-test: {what} ({'; '.join(wrong)[:200]})")
    return SelfTest(len(rows) - len(wrong), len(rows))
