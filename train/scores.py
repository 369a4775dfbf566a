"""What a Keras model answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..runtime.scale import WHOLE, scaled_pixels
from .backend import keras
from .batches import as_input

BATCH = 500  # images


def keras_scores(model: keras.Model, images: np.ndarray, value_range: Sequence[float] = WHOLE) -> np.ndarray:
    """(N, classes) float32 of (N, H, W) or BGR (N, H, W, 3) uint8 images.  value_range: what its input takes 0 and 255
    as."""
    parts = [images[i : i + BATCH] for i in range(0, len(images), BATCH)]
    return np.concatenate([scores_of_inputs(model, as_input(part), value_range) for part in parts])


def scores_of_inputs(model: keras.Model, inputs: np.ndarray, value_range: Sequence[float] = WHOLE) -> np.ndarray:
    """(N, classes) float32 of (N, H, W, C) float32 in [0, 255], as batches have them."""
    parts = [inputs[i : i + BATCH] for i in range(0, len(inputs), BATCH)]
    answers = [keras.ops.convert_to_numpy(model.predict_on_batch(scaled_pixels(part, value_range))) for part in parts]
    return np.concatenate(answers).reshape(len(inputs), -1)  # some keep their 1 × 1 map
