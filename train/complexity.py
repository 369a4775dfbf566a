"""Multiply-accumulate operations of a Keras 3 model, counted over its layers."""

from __future__ import annotations

import math
from typing import Any

from .backend import keras


def count_macs(model: keras.Model) -> int:
    """MACs of one image: convolutions and dense layers, the layers whose products dominate."""
    return sum(layer_macs(layer) for layer in model.layers)


def layer_macs(layer: Any) -> int:
    """MACs of one image through one layer."""
    if isinstance(layer, keras.Model):
        return count_macs(layer)
    if isinstance(layer, keras.layers.Dense):
        return int(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]))
    if isinstance(layer, keras.layers.SeparableConv2D):
        products = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
        return int(products * math.prod(layer.output.shape[1:3]))
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return int(math.prod(layer.kernel.shape) * math.prod(layer.input.shape[1:3]))
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        return int(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:3]))
    if isinstance(layer, keras.layers.Bidirectional):
        return _recurrent_macs(layer.forward_layer, layer.input) + _recurrent_macs(layer.backward_layer, layer.input)
    if isinstance(layer, (keras.layers.LSTM, keras.layers.GRU)):
        return _recurrent_macs(layer, layer.input)
    return 0


def _recurrent_macs(layer: Any, sequence: Any) -> int:
    """MACs of a recurrent layer: each step multiplies the input's and the last state's features by every gate."""
    weights = math.prod(layer.cell.kernel.shape) + math.prod(layer.cell.recurrent_kernel.shape)
    return int(weights * sequence.shape[1])
