"""From a Keras model to a float file: what operators it takes."""

import keras
import numpy as np
import pytest
from keras import layers

from glyphlite.compress.convert import convert
from glyphlite.compress.tflite import TFLiteFile
from glyphlite.runtime.engine import open_engine

INPUT = (6, 8, 3)


def reshaped(shape):
    """Reshapes to and fro, then a Flatten."""
    inputs = keras.Input(shape)
    x = layers.Reshape((shape[1], -1))(layers.Conv2D(4, 3, padding="same")(inputs))
    x = layers.Flatten()(layers.Conv1D(5, 3)(x))
    return keras.Model(inputs, layers.Dense(7)(x))


def channels_first(shape):
    """A Flatten that puts the channels first, as Keras understands it of a network that computes otherwise."""
    inputs = keras.Input(shape)
    return keras.Model(inputs, layers.Dense(7)(layers.Flatten(data_format="channels_first")(inputs)))


@pytest.mark.parametrize("make", [reshaped, channels_first])
@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_a_flatten_answers_as_in_keras_for_any_number_of_images(make, form, tmp_path):
    model = make(INPUT)
    model.save(tmp_path / "m.keras")
    convert(tmp_path / "m.keras", form, tmp_path / f"m.{form}")
    engine = open_engine(tmp_path / f"m.{form}")
    for count in (1, 3):
        images = np.random.default_rng(count).integers(0, 256, (count, *INPUT), np.uint8)
        expected = model(images.astype(np.float32)).numpy()
        np.testing.assert_allclose(engine.run(images), expected, rtol=1e-4, atol=1e-3 * np.abs(expected).max())


def test_a_flatten_is_one_operator(tmp_path):
    reshaped(INPUT).save(tmp_path / "m.keras")
    convert(tmp_path / "m.keras", "tflite", tmp_path / "m.tflite")
    kinds = {operator.kind for operator in TFLiteFile((tmp_path / "m.tflite").read_bytes()).operators}
    assert "RESHAPE" in kinds and not kinds & {"SHAPE", "STRIDED_SLICE", "PACK"}
