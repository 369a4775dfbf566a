"""What several folders' tests share: models small enough to compute by hand, and the place of the real data."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it once, when it is first imported

import numpy as np
import pytest

TINY_SHAPE = (12, 8, 3)  # neither square nor grey: a layout that is read wrongly shows
TINY_CLASSES = 4


@pytest.fixture(scope="session")
def data_root():
    """Folder of the real data sets, from the environment variable GLYPHLITE_DATA."""
    if "GLYPHLITE_DATA" not in os.environ:
        pytest.skip("GLYPHLITE_DATA is not set: no real data here")
    return Path(os.environ["GLYPHLITE_DATA"])


@pytest.fixture(scope="session")
def tiny_weights():
    """(12 × 8 × 3, 4) float32 of -0.01, 0 and 0.01, which 8 bits hold exactly: logits = pixels · weights."""
    signs = np.random.default_rng(7).integers(-1, 2, (int(np.prod(TINY_SHAPE)), TINY_CLASSES))
    return (signs / 100).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_tflite(tiny_weights, tmp_path_factory):
    """Name and path of tiny `.tflite` files, all of the same weights.

    float32 · fixed (to a batch of one) · int8, uint8, int16 (inputs and outputs too) · probabilities (ends in a
    softmax) · nan (a weight is NaN) · open_size (any height and width) · two_inputs · eight_at_once (a batch of eight)
    """
    import keras
    import tensorflow as tf

    def dense(batch=None, activation=None, weights=tiny_weights):
        inputs = keras.Input(TINY_SHAPE, batch_size=batch)
        outputs = keras.layers.Dense(TINY_CLASSES, activation, use_bias=False)(keras.layers.Flatten()(inputs))
        model = keras.Model(inputs, outputs)
        model.set_weights([weights])
        return model

    def open_size():
        inputs = keras.Input((None, None, 3))
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))

    def two_inputs():
        inputs = [keras.Input(TINY_SHAPE), keras.Input(TINY_SHAPE)]
        return keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(keras.layers.Add()(inputs)))

    def representative():
        rng = np.random.default_rng(0)
        for _ in range(40):
            image = rng.integers(0, 256, (1, *TINY_SHAPE)).astype(np.float32)
            image[0, 0, 0], image[0, 0, 1] = 0, 255  # the input's range is exactly a pixel's
            yield [image]

    def convert(model, kind=None):
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        if kind is not None:
            integers = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            if kind == tf.int16:
                integers = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = representative
            converter.target_spec.supported_ops = [integers]
            converter.inference_input_type = converter.inference_output_type = kind
        return converter.convert()

    broken = tiny_weights.copy()
    broken[0, 1] = np.nan
    contents = {
        "float32": convert(dense()),
        "fixed": convert(dense(batch=1)),
        "int8": convert(dense(), tf.int8),
        "uint8": convert(dense(), tf.uint8),
        "int16": convert(dense(), tf.int16),
        "probabilities": convert(dense(activation="softmax")),
        "nan": convert(dense(weights=broken)),
        "open_size": convert(open_size()),
        "two_inputs": convert(two_inputs()),
        "eight_at_once": convert(dense(batch=8)),
    }
    folder = tmp_path_factory.mktemp("tiny")
    for name, content in contents.items():
        (folder / f"{name}.tflite").write_bytes(content)
    return {name: folder / f"{name}.tflite" for name in contents}


@pytest.fixture(scope="session")
def tiny_images():
    """(70, 12, 8, 3) uint8 of noise: two batches of 32 and a rest."""
    return np.random.default_rng(1).integers(0, 256, (70, *TINY_SHAPE)).astype(np.uint8)


def draw_shapes(count, seed, side=20):
    """(N, side, side) uint8 bars, crosses, boxes and dots, and their labels 0 to 3."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, side, side), np.uint8)
    labels = rng.integers(0, 4, count)
    for image, label in zip(images, labels, strict=True):
        x, y = rng.integers(2, side - 13, 2)
        part = image[y : y + 11, x : x + 11]
        ink = rng.integers(150, 256)
        if label in (0, 1):
            part[:, 4:7] = ink
        if label == 1:
            part[4:7] = ink
        if label == 2:
            part[:] = ink
            part[3:8, 3:8] = 0
        if label == 3:
            part[4:7, 4:7] = ink
    return images, labels


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Path of an `.npz` of 480 shapes of 20×20."""
    path = tmp_path_factory.mktemp("data") / "shapes.npz"
    images, labels = draw_shapes(480, seed=0)
    np.savez(path, images=images, labels=labels)
    return path
