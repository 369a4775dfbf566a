"""Models small enough to compute by hand, as `.tflite` files.

`python tests/tiny_models.py FOLDER` writes them for a device's tests, which have no TensorFlow.
"""

import sys
from pathlib import Path

import numpy as np

TINY_SHAPE = (12, 8, 3)  # neither square nor grey: a layout that is read wrongly shows
TINY_CLASSES = 4


def weights():
    """(12 × 8 × 3, 4) float32 of -0.01, 0 and 0.01, which 8 bits hold exactly: logits = pixels · weights."""
    signs = np.random.default_rng(7).integers(-1, 2, (int(np.prod(TINY_SHAPE)), TINY_CLASSES))
    return (signs / 100).astype(np.float32)


def write_tiny_models(folder):
    """All of the same weights:

    float32 · fixed (to a batch of one) · int8, uint8, int16 (inputs and outputs too) · probabilities (ends in a
    softmax) · nan (a weight is NaN) · open_size (any height and width) · two_inputs · eight_at_once (a batch of eight)
    """
    import keras
    import tensorflow as tf

    small = weights()

    def dense(batch=None, activation=None, weights=small):
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

    broken = small.copy()
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
    for name, content in contents.items():
        (Path(folder) / f"{name}.tflite").write_bytes(content)


if __name__ == "__main__":
    write_tiny_models(sys.argv[1])
