"""A Keras 3 model as the same model in Keras 2 (`tf_keras`), which is all that tensorflow-model-optimization takes.

The layer graph is walked node by node: each layer is made again by class name and configuration, called on the mapped
tensors, and given its weights.  Pruning changes weights only, so the way back is to set them on the Keras 3 model.
"""

from __future__ import annotations

import inspect
from typing import Any

import tf_keras

from ..runtime.errors import ConversionError
from ..train.backend import keras

# layers that both know, with weights in the same order
CROSSING = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization", "Concatenate", "Conv2D",
    "Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU", "Flatten",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "InputLayer", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum",
    "Multiply", "PReLU", "Permute", "ReLU", "Rescaling", "Reshape", "SeparableConv2D", "Softmax",
    "SpatialDropout2D", "Subtract", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
_NOT_CARRIED = ("initializer", "regularizer", "constraint")  # they shape training from scratch; weights are copied


def to_tf_keras(model: keras.Model) -> Any:
    """The tf_keras model of a Keras 3 Sequential or Functional model, weights included.

    Raises ConversionError naming the layer that cannot cross, or the model's kind.
    """
    functional = getattr(model, "_functional", model)  # a built Sequential holds its graph in one
    nodes_by_depth = getattr(functional, "_nodes_by_depth", None)
    if not nodes_by_depth:
        raise ConversionError(f"{model.name}: a {type(model).__name__}; wanted a built Sequential or Functional model")
    tensors: dict[int, Any] = {}
    layers: dict[str, Any] = {}
    for depth in sorted(nodes_by_depth, reverse=True):  # the deepest nodes are the inputs
        for node in nodes_by_depth[depth]:
            source = node.operation
            if source.name not in layers:
                layers[source.name] = _layer(source)
            if isinstance(source, keras.layers.InputLayer):
                outputs: Any = layers[source.name]
            else:
                args = keras.tree.map_structure(lambda value: tensors.get(id(value), value), node.arguments.args)
                outputs = layers[source.name](*args)
            for tensor, mapped in zip(node.output_tensors, keras.tree.flatten(outputs), strict=True):
                tensors[id(tensor)] = mapped
    result = tf_keras.Model(
        [tensors[id(tensor)] for tensor in functional.inputs],
        [tensors[id(tensor)] for tensor in functional.outputs],
        name=model.name,
    )
    for layer in functional.layers:
        if layer.get_weights():
            layers[layer.name].set_weights(layer.get_weights())
    return result


def copy_weights_back(source: Any, target: keras.Model) -> None:
    """Set the weights of a tf_keras model on the Keras 3 model that it was bridged from, layer by layer."""
    by_name = {layer.name: layer for layer in source.layers}
    for layer in getattr(target, "_functional", target).layers:
        if layer.get_weights():
            layer.set_weights(by_name[layer.name].get_weights())


def _layer(source: Any) -> Any:
    """A tf_keras layer of the same class, name and configuration; for an input, its tensor."""
    kind = type(source).__name__
    if kind not in CROSSING or not type(source).__module__.startswith("keras."):
        raise ConversionError(
            f"layer {source.name!r} ({kind}) has no equal in tf_keras; pruning cannot take this model"
        )
    config = source.get_config()
    if kind == "InputLayer":
        return tf_keras.Input(batch_shape=config["batch_shape"], dtype="float32", name=source.name)
    target = getattr(tf_keras.layers, kind)
    known = {name for cls in target.__mro__ if hasattr(cls, "__init__") for name in inspect.signature(cls).parameters}
    kept = {
        name: value
        for name, value in config.items()
        if name in known and name not in ("dtype", "name") and not name.endswith(_NOT_CARRIED)
    }
    return target(name=source.name, dtype="float32", **kept)
