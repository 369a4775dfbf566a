"""Keras 3 to tf_keras and back: the same outputs, for each layer and for a branched model."""

import inspect

import numpy as np
import pytest
import tf_keras

from glyphlite.compress.bridge import CROSSING, LEFT_OUT, copy_weights, to_keras3, to_tf_keras
from glyphlite.runtime import ConversionError
from glyphlite.train.backend import keras

layers = keras.layers
SHAPE = (8, 8, 4)

SINGLE_LAYERS = {
    "Activation": lambda: layers.Activation("swish"),
    "AveragePooling2D": lambda: layers.AveragePooling2D(2),
    "BatchNormalization": lambda: layers.BatchNormalization(epsilon=1e-4),
    "Bidirectional": lambda: _along(layers.Bidirectional(layers.LSTM(5, return_sequences=True), merge_mode="sum")),
    "Conv2D": lambda: layers.Conv2D(5, 3, strides=2, padding="same", activation="relu"),
    "Conv2DTranspose": lambda: layers.Conv2DTranspose(3, 3, strides=2, padding="same"),
    "Cropping2D": lambda: layers.Cropping2D(((1, 0), (2, 1))),
    "Dense": lambda: layers.Dense(6, activation="tanh"),
    "DepthwiseConv2D": lambda: layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
    "Dropout": lambda: layers.Dropout(0.5),
    "ELU": lambda: layers.ELU(alpha=0.7),
    "Flatten": lambda: layers.Flatten(),
    "GRU": lambda: _along(layers.GRU(5, return_sequences=True)),
    "GlobalAveragePooling2D": lambda: layers.GlobalAveragePooling2D(keepdims=True),
    "GlobalMaxPooling2D": lambda: layers.GlobalMaxPooling2D(),
    "LSTM": lambda: _along(layers.LSTM(5, go_backwards=True)),
    "LeakyReLU": lambda: layers.LeakyReLU(negative_slope=0.1),
    "MaxPooling2D": lambda: layers.MaxPooling2D(3, strides=2, padding="same"),
    "PReLU": lambda: layers.PReLU(shared_axes=[1, 2]),
    "Permute": lambda: layers.Permute((2, 1, 3)),
    "ReLU": lambda: layers.ReLU(max_value=6),
    "Rescaling": lambda: layers.Rescaling(1 / 3, offset=-0.5),
    "Reshape": lambda: layers.Reshape((4, 16, 4)),
    "SeparableConv2D": lambda: layers.SeparableConv2D(5, 3),
    "Softmax": lambda: layers.Softmax(),
    "SpatialDropout2D": lambda: layers.SpatialDropout2D(0.3),
    "UpSampling2D": lambda: layers.UpSampling2D(2, interpolation="bilinear"),
    "ZeroPadding2D": lambda: layers.ZeroPadding2D(((1, 2), (0, 1))),
}


def _along(layer):
    """A recurrent layer along the rows of what it is called on."""
    return lambda inputs: layer(layers.Reshape((SHAPE[0], -1))(inputs))


def shake(model, seed=0):
    """Random weights everywhere, so that no zero or one hides a mistake; variances stay positive."""
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.1, 1, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def assert_equal_outputs(model, bridged, shape):
    x = np.random.default_rng(1).normal(size=(3, *shape)).astype(np.float32)
    ours, theirs = np.asarray(model(x, training=False)), bridged(x, training=False).numpy()
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SINGLE_LAYERS)
def test_each_layer_crosses(name):
    inputs = keras.Input(SHAPE)
    model = shake(keras.Model(inputs, SINGLE_LAYERS[name]()(inputs)))
    bridged = to_tf_keras(model)
    assert_equal_outputs(model, bridged, SHAPE)
    assert_equal_outputs(to_keras3(bridged), bridged, SHAPE)


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"])
def test_each_merging_layer_crosses(name):
    inputs = keras.Input(SHAPE)
    branches = [layers.Conv2D(3, 3, name="a")(inputs), layers.Conv2D(3, 3, name="b")(inputs)]
    model = shake(keras.Model(inputs, getattr(layers, name)()(branches)))
    assert_equal_outputs(model, to_tf_keras(model), SHAPE)


def test_every_layer_that_is_said_to_cross_is_tested():
    merging = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"}
    assert {*SINGLE_LAYERS, *merging, "InputLayer"} == CROSSING


@pytest.mark.parametrize("name", sorted(LEFT_OUT))
def test_what_does_nothing_but_in_training_is_left_out(name):
    kind = getattr(layers, name)
    options = inspect.signature(kind).parameters.values()
    required = [one.name for one in options if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    amounts = dict.fromkeys(required, 3 if name == "RandomPosterization" else 0.3)
    shape = (8, 8, 3)
    inputs = keras.Input(shape)
    model = shake(keras.Model(inputs, layers.Dense(2)(layers.Flatten()(kind(**amounts)(inputs)))))
    bridged = to_tf_keras(model)
    assert [type(layer).__name__ for layer in bridged.layers] == ["InputLayer", "Flatten", "Dense"]
    assert_equal_outputs(model, bridged, shape)


def test_augmentation_of_keras_2_is_left_out_too():
    inputs = tf_keras.Input(SHAPE)
    x = tf_keras.layers.GaussianNoise(0.5)(tf_keras.layers.RandomFlip()(inputs))
    older = tf_keras.Model(inputs, tf_keras.layers.Conv2D(2, 3)(x))
    assert_equal_outputs(to_keras3(older), older, SHAPE)


def test_a_branched_model_with_a_shared_layer_crosses():
    inputs = keras.Input((16, 16, 3))
    shared = layers.Conv2D(8, 3, padding="same", use_bias=False)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(8, 3, padding="same")(inputs)))
    x = layers.Add()([shared(x), x])
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(shared(x)))
    x = layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(2)(x)])
    model = shake(keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x))))
    bridged = to_tf_keras(model)
    assert_equal_outputs(model, bridged, (16, 16, 3))
    assert_equal_outputs(to_keras3(bridged), bridged, (16, 16, 3))


def test_a_sequential_model_crosses():
    model = keras.Sequential([keras.Input(SHAPE), layers.LeakyReLU(0.3), layers.Flatten(), layers.Dense(2)])
    assert_equal_outputs(shake(model), to_tf_keras(model), SHAPE)


def test_weights_come_back():
    inputs = keras.Input(SHAPE)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(inputs))
    model = shake(keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x))))
    bridged = to_tf_keras(model)
    bridged.set_weights([2 * weight for weight in bridged.get_weights()])
    copy_weights(bridged, model)
    assert_equal_outputs(model, bridged, SHAPE)


@keras.saving.register_keras_serializable("tests")
class Doubled(layers.Layer):
    def call(self, x):
        return 2 * x


def test_a_layer_that_cannot_cross_is_named():
    inputs = keras.Input(SHAPE)
    for layer in (Doubled(name="mine"), layers.GroupNormalization(2, name="mine")):
        with pytest.raises(ConversionError, match=r"'mine' \((Doubled|GroupNormalization)\)"):
            to_tf_keras(keras.Model(inputs, layer(inputs)))
    with pytest.raises(ConversionError, match="wanted a built Sequential or Functional"):
        to_tf_keras(keras.Sequential([layers.Dense(2)]))


def test_an_activation_of_ones_own_is_named():
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Dense(2, activation=keras.ops.square, name="mine")(inputs))
    with pytest.raises(ConversionError, match=r"layer 'mine' \(Dense\): activation"):
        to_tf_keras(model)
