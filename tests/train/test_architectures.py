"""Architectures: sizes of the paper, pure functions, logits at the end."""

import numpy as np
import pytest

from glyphlite.runtime import TrainingError
from glyphlite.train.architectures import ARCHITECTURES, LINE_ARCHITECTURES, build
from glyphlite.train.backend import keras
from glyphlite.train.complexity import count_macs

SHAPE = (28, 28, 1)

CLASSIFIERS = [name for name in ARCHITECTURES if name not in LINE_ARCHITECTURES]  # the others: test_line_training.py


def test_lenet5_has_the_sizes_of_the_paper():
    model = build("lenet5", SHAPE, 10)
    shapes = {layer.name: tuple(layer.output.shape[1:]) for layer in model.layers}
    assert shapes["c1"] == (28, 28, 6)
    assert shapes["s2"] == (14, 14, 6)
    assert shapes["c3"] == (10, 10, 16)
    assert shapes["s4"] == (5, 5, 16)
    assert (shapes["c5"], shapes["f6"], shapes["logits"]) == ((120,), (84,), (10,))
    # 156 + 2,416 + 48,120 + 10,164 + 850 weights and biases
    assert model.count_params() == 61_706
    # 28²·25·6 + 10²·25·6·16 + 400·120 + 120·84 + 84·10
    assert count_macs(model) == 117_600 + 240_000 + 48_000 + 10_080 + 840


def test_a_layer_that_is_used_twice_counts_twice():
    layers = keras.layers
    twice = layers.Conv2D(4, 3, padding="same")
    inputs = keras.Input((8, 8, 4))
    model = keras.Model(inputs, layers.Conv2DTranspose(2, 2, strides=2)(twice(layers.MaxPooling2D(2)(twice(inputs)))))
    assert count_macs(model) == 64 * 9 * 4 * 4 + 16 * 9 * 4 * 4 + 16 * 4 * 4 * 2


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_architecture_takes_pixels_and_ends_in_logits(name):
    model = build(name, SHAPE, 7)
    logits = np.asarray(model(np.full((2, 28, 28, 1), 255.0, np.float32)))
    assert logits.shape == (2, 7)
    assert not np.allclose(logits.sum(1), 1)
    assert model.layers[-1].activation.__name__ == "linear"


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_width_and_shape_are_free(name):
    narrow, wide = (build(name, (32, 20, 3), 11, width) for width in (0.5, 2.0))
    assert narrow.count_params() < wide.count_params()
    assert narrow.input_shape == (None, 32, 20, 3)


def test_an_unknown_name_and_a_too_small_image_are_named():
    with pytest.raises(TrainingError, match="lenet5, full, edge, micro, edge_separable"):
        build("lenet6", SHAPE, 10)
    with pytest.raises(TrainingError, match="full cannot take images of 6 × 6 × 1"):
        build("full", (6, 6, 1), 10)
