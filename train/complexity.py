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
    return 0
