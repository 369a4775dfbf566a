"""A model without some of its channels: the same layers in the same graph, narrower, their weights carried over."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ...train.backend import keras
from ...train.graph import graph_of, rebuilt
from .dependencies import Dependencies

WIDTHS = {"Conv2D": "filters", "Conv2DTranspose": "filters", "SeparableConv2D": "filters", "Dense": "units"}


def without_units(model: keras.Model, dependencies: Dependencies, gone: Collection[int]) -> keras.Model:
    """A Keras 3 model in which the units `gone` are no more.  dependencies: of `model`."""
    lost = np.array(sorted(gone), np.int64)
    kept_in = {name: ~np.isin(units, lost) for name, units in dependencies.inputs.items()}
    kept_out = {name: ~np.isin(units, lost) for name, units in dependencies.outputs.items()}

    def make(layer: Any) -> Any:
        config = layer.get_config()
        kind = type(layer).__name__
        if kind in WIDTHS and layer.name in dependencies.makers:
            config[WIDTHS[kind]] = int(kept_out[layer.name].sum())
        elif kind == "Reshape":
            config["target_shape"] = (*config["target_shape"][:-1], int(kept_out[layer.name].sum()))
        return type(layer).from_config(config)

    def make_input(layer: Any) -> Any:
        return keras.Input(batch_shape=layer.batch_shape, dtype=layer.dtype, name=layer.name)

    smaller = rebuilt(model, make_input, make, keras.Model)
    cut = {layer.name: layer for layer in smaller.layers}
    for layer in graph_of(model).layers:
        if layer.weights:
            cut[layer.name].set_weights(_sliced(layer, kept_in[layer.name], kept_out[layer.name]))
    return smaller


def _sliced(layer: Any, ins: np.ndarray, outs: np.ndarray) -> list[np.ndarray]:
    """A layer's weights without some of its inputs and outputs; ins, outs: (channels,) bool, those that stay."""
    kind = type(layer).__name__
    weights: list[np.ndarray] = layer.get_weights()
    if kind in ("Conv2D", "Dense") and len(ins) == weights[0].shape[-2]:
        kernel, *bias = weights
        return [kernel[..., ins, :][..., outs], *(one[outs] for one in bias)]
    if kind == "Conv2DTranspose":
        kernel, *bias = weights
        return [kernel[..., outs, :][..., ins], *(one[outs] for one in bias)]
    if kind == "DepthwiseConv2D":
        kernel, *bias = weights
        return [kernel[..., ins, :], *(one[outs] for one in bias)]
    if kind == "SeparableConv2D":
        depthwise, pointwise, *bias = weights
        between = np.repeat(ins, depthwise.shape[-1])
        return [depthwise[..., ins, :], pointwise[..., between, :][..., outs], *(one[outs] for one in bias)]
    if kind in ("BatchNormalization", "PReLU"):
        return [one[..., outs] if one.shape[-1] == len(outs) else one for one in weights]
    return weights  # of a layer that keeps all of its channels
