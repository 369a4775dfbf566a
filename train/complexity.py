"""Multiply-accumulate operations of a Keras 3 model, counted over the calls of its layers."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from .backend import keras
from .graph import Call, calls


def count_macs(model: keras.Model) -> int:
    """MACs of one image: convolutions and dense layers, the layers whose products dominate.

    Raises ConversionError where the model has no layer graph.
    """
    return sum(macs_by_layer(model).values())


def macs_by_layer(model: keras.Model) -> Counter[str]:
    """MACs of one image by the name of a layer, in all of its calls.  Raises as `count_macs`."""
    found: Counter[str] = Counter()
    for call in calls(model):
        found[call.layer.name] += _macs(call)
    return found


def _macs(call: Call) -> int:
    """MACs of one image in one call of a layer."""
    layer = call.layer
    if isinstance(layer, keras.Model):
        return count_macs(layer)
    out = call.outputs[0].shape
    if isinstance(layer, keras.layers.Dense):
        return int(math.prod(layer.kernel.shape) * math.prod(out[1:-1]))
    if isinstance(layer, keras.layers.SeparableConv2D):
        products = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
        return int(products * math.prod(out[1:3]))
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return int(math.prod(layer.kernel.shape) * math.prod(call.inputs[0].shape[1:3]))
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        return int(math.prod(layer.kernel.shape) * math.prod(out[1:3]))
    if isinstance(layer, keras.layers.Bidirectional):
        return sum(_recurrent_macs(way, call.inputs[0]) for way in (layer.forward_layer, layer.backward_layer))
    if isinstance(layer, (keras.layers.LSTM, keras.layers.GRU)):
        return _recurrent_macs(layer, call.inputs[0])
    return 0


def _recurrent_macs(layer: Any, sequence: Any) -> int:
    """MACs of a recurrent layer: each step multiplies the input's and the last state's features by every gate."""
    weights = math.prod(layer.cell.kernel.shape) + math.prod(layer.cell.recurrent_kernel.shape)
    return int(weights * sequence.shape[1])
