"""What every route needs: the models that answer, and the metrics of their answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask, current_app
from numpy.typing import NDArray

from ..runtime import EngineError, GlyphliteError, ModelError, Prediction, Reading, Recognizer, UnknownModel
from ..runtime.bundle import DEFAULT_MODEL, DEFAULT_READER
from ..runtime.scale import parse_scale
from .metrics import Metrics

TOP = 5  # answers given for an image
EXTENSION = "glyphlite"  # of Flask's app.extensions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Service:
    """The model of single characters and the reader of lines, shared by all threads, and what is counted of their
    answers.  They are one where the model reads lines by itself."""

    recognizer: Recognizer
    reader: Recognizer
    metrics: Metrics

    @classmethod
    def open(cls, model: str | Path, reader: str | Path = "", scale: str = "") -> Service:
        """Load the models, named as for Recognizer.load, which says what it raises.

        reader: '' is the shipped one beside the shipped model, else the model itself.  scale: what a bare model's
        float input takes 0 and 255 as, as `parse_scale` takes it; '': 0 and 255.
        """
        if not reader and str(model) == DEFAULT_MODEL:
            reader = DEFAULT_READER
        value_range = parse_scale(scale) if scale else None
        recognizer = Recognizer.load(model, threads=0, value_range=value_range)
        if recognizer.card.reads_lines:
            raise ModelError(f"{model}: reads whole lines; name it as the reader, beside a model of characters")
        lines = Recognizer.load(reader, threads=0) if reader else recognizer
        if reader and lines.reader is None:
            raise ModelError(f"{reader}: takes whole images; wanted a model of characters or lines as the reader")
        if lines.artifact.sha256 == recognizer.artifact.sha256:
            lines = recognizer
        elif reader and lines.card.name == recognizer.card.name:
            raise ModelError(
                f"{reader}: is called {lines.card.name}, as the model is; wanted another name for one of them"
            )
        if caution := recognizer.caution:
            log.warning("%s", caution)
        metrics = Metrics()
        metrics.watch(recognizer, lines)
        return cls(recognizer, lines, metrics)

    def predict(self, image: bytes) -> Prediction:
        """The one character in an image file's bytes, counted.  Raises ImageError."""
        return self.counted_prediction(self.recognizer.predict(image, top=TOP))

    def counted_prediction(self, prediction: Prediction) -> Prediction:
        """An answer of the model of characters that is given, or its refusal."""
        self.metrics.predictions.add(prediction.label, prediction.confidence)
        if prediction.label is None:
            self.metrics.refusals.inc()
        return prediction

    def predict_glyphs(self, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, classes) probabilities of (N, H, W[, C]) glyphs.  Raises ImageError."""
        shares = self.recognizer.predict_batch(glyphs)
        for row in shares:
            self.metrics.predictions.add(self.recognizer.card.labels[int(row.argmax())], float(row.max()))
        return shares

    def read(self, image: bytes, options: Mapping[str, Any]) -> Reading:
        """All writing in an image file's bytes, counted; options as of Recognizer.read.

        Raises ImageError, ExpectationError or ModelError.
        """
        return self.counted_reading(self.reader.read(image, top=TOP, **options))

    def counted_reading(self, reading: Reading) -> Reading:
        """An answer of the reader that is given; a page without any writing is a refusal."""
        for line in reading.lines:
            for one in line.characters:
                self.metrics.readings.add(one.label, one.confidence)
        if not reading.lines:
            self.metrics.readings.add(None, 0.0)
            self.metrics.refusals.inc()
        return reading

    def check_asked_for(self, name: str | None, loaded: Recognizer) -> None:
        """Raises UnknownModel where a request names another model than the one that would answer it."""
        if name is not None and name != loaded.card.name:
            raise UnknownModel(f"model={name:.60}: not loaded; wanted {loaded.card.name}, or no name")

    def self_test(self) -> Prediction:
        """The answer for a pen's stroke on white paper, through every stage.  Raises EngineError."""
        paper = np.full((64, 64), 255, np.uint8)
        paper[12:52, 29:35] = 0
        return self.recognizer.predict(paper, top=1)


def service() -> Service:
    """The service of the app that answers the current request.  A request asks once, so that models which are loaded
    meanwhile answer the next one."""
    found: Service = current_app.extensions[EXTENSION]
    return found


def reload_models(app: Flask) -> bool:
    """Load the app's models again, and let them answer once they pass the self-test; else the old ones go on.

    Requests in work keep the models that they began with.
    """
    with _reloading:
        old: Service = app.extensions[EXTENSION]
        try:
            new = Service.open(app.config["MODEL"], app.config["READER"], app.config["SCALE"])
            if new.self_test().label is None:
                raise EngineError(f"{new.recognizer.card.name}: refuses a clear stroke")
        except GlyphliteError as error:
            log.error("the models were not loaded again, the old ones go on: %s", error)
            return False
        old.metrics.watch(new.recognizer, new.reader)
        app.extensions[EXTENSION] = Service(new.recognizer, new.reader, old.metrics)
        log.info("loaded again: %s", new.recognizer.card.name)
        return True


_reloading = threading.Lock()  # of two that overlap the one that began first could end last, with the older models
