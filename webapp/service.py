"""What every route needs: the models that answer, and the metrics of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask import current_app

from ..runtime import Prediction, Reading, Recognizer
from .metrics import Metrics

TOP = 5  # answers given for an image


@dataclass(frozen=True)
class Service:
    """The model of single characters and the reader of lines, shared by all threads, and what is counted of their
    answers.  They are one where the model reads lines by itself."""

    recognizer: Recognizer
    reader: Recognizer
    metrics: Metrics

    @classmethod
    def open(cls, model: str | Path, reader: str | Path = "") -> Service:
        """Load the models, named as for Recognizer.load, which says what it raises; '': the reader is the model."""
        recognizer = Recognizer.load(model, threads=0)
        artifact = recognizer.artifact
        metrics = Metrics(recognizer.card.name, artifact.file, artifact.recipe, recognizer.engine.name)
        return cls(recognizer, Recognizer.load(reader, threads=0) if reader else recognizer, metrics)

    def predict(self, image: bytes) -> Prediction:
        """The one character in an image file's bytes; a refusal is counted.  Raises ImageError."""
        prediction = self.recognizer.predict(image, top=TOP)
        if prediction.label is None:
            self.metrics.refusals.inc()
        return prediction

    def read(self, image: bytes, options: Mapping[str, Any]) -> Reading:
        """All writing in an image file's bytes, options as of Recognizer.read; a page without any is counted.

        Raises ImageError, ExpectationError or ModelError.
        """
        reading = self.reader.read(image, top=TOP, **options)
        if not reading.lines:
            self.metrics.refusals.inc()
        return reading

    def self_test(self) -> Prediction:
        """The answer for a pen's stroke on white paper, through every stage.  Raises EngineError."""
        paper = np.full((64, 64), 255, np.uint8)
        paper[12:52, 29:35] = 0
        return self.recognizer.predict(paper, top=1)


def service() -> Service:
    """The service of the app that answers the current request."""
    found: Service = current_app.extensions["glyphlite"]
    return found
