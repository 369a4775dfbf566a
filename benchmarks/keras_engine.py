"""A Keras model as a contender: what a file costs before it is compressed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.bundle import KERAS_SUFFIXES
from ..runtime.engine import Engine, Logits, Pixels
from ..runtime.errors import EngineError, how_to_install
from ..runtime.scale import scaled_pixels

NAME = "keras"
SAVED_MODEL = "saved_model.pb"  # in the folder of one
BATCH = 256  # images


def is_keras(path: Path) -> bool:
    """A `.keras` or `.h5` file, or a SavedModel's folder."""
    return path.suffix in KERAS_SUFFIXES or (path / SAVED_MODEL).is_file()


class KerasEngine(Engine):
    """A Keras 2 or 3 model by its `predict`, as programs call it.  Threads are TensorFlow's."""

    name = NAME

    def __init__(self, path: Path, value_range: Sequence[float]) -> None:
        """Raises EngineError where Keras is not installed, ConversionError where there is no such model."""
        try:
            from ..compress.sources import load_source
        except ImportError as error:
            raise EngineError(f"{path}: no Keras here ({error}); {how_to_install('compress')}") from None
        source = load_source(str(path))
        self._model: Any = source.model
        self._value_range = value_range
        self.input_shape, self.classes = source.input_shape, source.classes

    def run(self, pixels: Pixels) -> Logits:
        scores = self._model.predict(self._values(pixels), batch_size=BATCH, verbose=0)
        return np.asarray(scores, np.float32).reshape(len(pixels), -1)

    def _values(self, pixels: Pixels) -> NDArray[np.float32]:
        return np.asarray(scaled_pixels(pixels, self._value_range))

    def bare_call(self, pixels: Pixels) -> Callable[[], object]:
        """The model called as a function, without what `predict` adds."""
        values = self._values(pixels)
        return lambda: self._model(values, training=False)
