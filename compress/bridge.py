"""The same model in Keras 3 and in Keras 2 (`tf_keras`), which is all that tensorflow-model-optimization takes.

The layer graph is walked call by call: each layer is made again by class name and configuration, called on the mapped
tensors, and given its weights.  What distorts images while a model trains, and does nothing to its answers, is left
out: a step trains without it.
"""

from __future__ import annotations

import inspect
from typing import Any

import tf_keras

from ..runtime.errors import ConversionError
from ..train.backend import keras
from ..train.graph import graph_of, rebuilt

# layers that both know, with weights in the same order
CROSSING = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Bidirectional", "Concatenate", "Conv2D",
    "Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Flatten", "GRU",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "InputLayer", "LSTM", "LeakyReLU", "MaxPooling2D", "Maximum",
    "Minimum", "Multiply", "PReLU", "Permute", "ReLU", "Rescaling", "Reshape", "SeparableConv2D", "Softmax",
    "SpatialDropout2D", "Subtract", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
# layers that do nothing but while a model trains; not RandomCrop, which crops what is answered too
LEFT_OUT = {
    "AlphaDropout", "AugMix", "GaussianDropout", "GaussianNoise", "RandAugment", "RandomBrightness",
    "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomElasticTransform", "RandomErasing",
    "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective",
    "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear",
    "RandomTranslation", "RandomZoom",
}  # fmt: skip
ACTIVATIONS = (  # not hard_sigmoid, which is another function in each: train/keras_files.py
    "elu", "exponential", "gelu", "linear", "relu", "relu6", "selu", "sigmoid", "silu", "softmax", "softplus",
    "softsign", "swish", "tanh",
)  # fmt: skip
RENAMED = {"LeakyReLU": ("negative_slope", "alpha")}  # an option's name in Keras 3 and in Keras 2
_NOT_CARRIED = ("initializer", "regularizer", "constraint")  # they shape training from scratch; weights are copied


def to_tf_keras(model: keras.Model) -> Any:
    """The tf_keras model of a Keras 3 Sequential or Functional model, weights included.

    Raises ConversionError naming the layer that cannot cross, or the model's kind.
    """
    return _crossed(model, tf_keras, "tf_keras")


def to_keras3(model: Any) -> keras.Model:
    """The Keras 3 model of a tf_keras Sequential or Functional model, weights included.  Raises as `to_tf_keras`."""
    return _crossed(model, keras, "Keras 3")


def copy_weights(source: Any, target: Any) -> None:
    """Set the weights of a model on the one that was made of it, or that it was made of, layer by layer."""
    by_name = {layer.name: layer for layer in graph_of(source).layers}
    for layer in graph_of(target).layers:
        if layer.get_weights():
            layer.set_weights(by_name[layer.name].get_weights())


def _crossed(model: Any, library: Any, called: str) -> Any:
    def make(layer: Any) -> Any:
        return _layer(layer, library, called)

    def make_input(layer: Any) -> Any:
        shape = layer.get_config().get("batch_shape") or layer.get_config()["batch_input_shape"]
        return library.Input(batch_shape=tuple(shape), dtype="float32", name=layer.name)

    result = rebuilt(model, make_input, make, library.Model)
    copy_weights(model, result)
    return result


def _layer(source: Any, library: Any, called: str) -> Any:
    """A layer of the other library, of the same class, name and configuration; of one that is left out, what gives its
    input back."""
    kind = type(source).__name__
    home = type(source).__module__.split(".")[0]
    if kind not in CROSSING | LEFT_OUT or home not in ("keras", "tf_keras"):
        raise ConversionError(f"layer {source.name!r} ({kind}) has no equal in {called}")
    if kind in LEFT_OUT:
        return lambda inputs, training=None: inputs
    if kind == "Bidirectional":
        forward, backward = (_layer(way, library, called) for way in (source.forward_layer, source.backward_layer))
        both = library.layers.Bidirectional
        return both(forward, merge_mode=source.merge_mode, backward_layer=backward, name=source.name)
    config = source.get_config()
    for activation in (config.get("activation"), config.get("recurrent_activation")):
        if activation is not None and activation not in ACTIVATIONS:
            told = f"layer {source.name!r} ({kind}): activation {activation!r:.60}"
            raise ConversionError(f"{told} has no equal in {called}")
    for new, old in [RENAMED[kind]] if kind in RENAMED else []:
        here, there = (old, new) if library is keras else (new, old)
        config[there] = config.pop(here)
    if kind == "BatchNormalization" and isinstance(config["axis"], (list, tuple)):
        (config["axis"],) = config["axis"]
    target = getattr(library.layers, kind)
    known = _options(target)
    kept = {name: value for name, value in config.items() if name in known and not name.endswith(_NOT_CARRIED)}
    return target(name=source.name, dtype="float32", **kept)


def _options(layer_class: Any) -> set[str]:
    """What a layer class may be told, its name and dtype apart: by itself, and by the classes that it passes on to."""
    names: set[str] = set()
    for cls in layer_class.__mro__:
        parameters = inspect.signature(cls.__init__).parameters.values()
        names.update(one.name for one in parameters)
        if not any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters):
            break
    return names - {"name", "dtype"}
