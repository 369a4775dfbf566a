"""Multiply-accumulate operations of a Keras 3 model, counted over its layers."""

from __future__ import annotations

import math

import keras


def count_macs(model: keras.Model) -> int:
    """MACs of one image: convolutions and dense layers, the layers whose products dominate."""
    return sum(_layer_macs(layer) for layer in model.layers)


def _layer_macs(layer: keras.Layer) -> int:
    if isinstance(layer, keras.Model):
        return count_macs(layer)
    kernel = getattr(layer, "kernel", None)
    if isinstance(layer, keras.layers.Dense):
        return math.prod(kernel.shape) * math.prod(layer.output.shape[1:-1])
    if isinstance(layer, keras.layers.SeparableConv2D):
        area = math.prod(layer.output.shape[1:3])
        return area * (math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape))
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return math.prod(kernel.shape) * math.prod(layer.input.shape[1:3])
    if isinstance(layer, (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)):
        return math.prod(kernel.shape) * math.prod(layer.output.shape[1:3])
    return 0
