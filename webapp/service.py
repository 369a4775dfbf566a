"""What every route needs: the model that answers, and the metrics of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flask import current_app

from ..runtime import Prediction, Recognizer
from .metrics import Metrics

TOP = 5  # answers given for an image


@dataclass(frozen=True)
class Service:
    """One model, shared by all threads, and what is counted of its answers."""

    recognizer: Recognizer
    metrics: Metrics

    @classmethod
    def open(cls, model: str | Path) -> Service:
        """Load a model, named as for Recognizer.load, which says what it raises."""
        recognizer = Recognizer.load(model)
        artifact = recognizer.artifact
        metrics = Metrics(recognizer.card.name, artifact.file, artifact.recipe, recognizer.engine.name)
        return cls(recognizer, metrics)

    def predict(self, image: bytes) -> Prediction:
        """The one character in an image file's bytes; a refusal is counted.  Raises ImageError."""
        prediction = self.recognizer.predict(image, top=TOP)
        if prediction.label is None:
            self.metrics.refusals.inc()
        return prediction

    def self_test(self) -> Prediction:
        """The answer for a pen's stroke on white paper, through every stage.  Raises EngineError."""
        paper = np.full((64, 64), 255, np.uint8)
        paper[12:52, 29:35] = 0
        return self.recognizer.predict(paper, top=1)


def service() -> Service:
    """The service of the app that answers the current request."""
    found: Service = current_app.extensions["glyphlite"]
    return found
