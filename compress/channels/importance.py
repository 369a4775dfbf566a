"""What a channel is worth: a number for each unit of a model, in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tuning import Tuning
from .dependencies import Dependencies

TAYLOR_BATCHES = 20


@dataclass(frozen=True)
class Importance:
    """measure: from a model, its dependencies and data to a unit's worth, by its identity.  is_loss: the worth is of
    one scale for all layers, so that what a unit costs can be held against it."""

    measure: Callable[[Any, Dependencies, Tuning], dict[int, float]]
    is_loss: bool = False


def l1(model: Any, dependencies: Dependencies, tuning: Tuning) -> dict[int, float]:
    """The mean size of the weights that make a channel (Li et al. 2017), by the mean of its layer: layers compare."""
    return _by_filter(model, dependencies, lambda layer: np.abs(_kernel(layer)))


def bn_scale(model: Any, dependencies: Dependencies, tuning: Tuning) -> dict[int, float]:
    """The size of batch normalization's scale of a channel (Liu et al. 2017); of channels without one, as l1."""
    found = l1(model, dependencies, tuning)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization" and layer.scale:
            sizes = np.abs(np.asarray(layer.gamma))
            found.update(_summed(dependencies.outputs[layer.name], sizes / max(sizes.mean(), 1e-12)))
    return found


def taylor(model: Any, dependencies: Dependencies, tuning: Tuning) -> dict[int, float]:
    """How much the loss would change, to first order, without the weights that make a channel, squared (Molchanov et
    al. 2019), over TAYLOR_BATCHES batches."""
    import tensorflow as tf

    layers = [layer for layer in model.layers if layer.name in dependencies.makers]
    kernels = [_kernel_variable(layer) for layer in layers]
    sums = [np.zeros(dependencies.outputs[layer.name].shape) for layer in layers]
    batches = zip(range(TAYLOR_BATCHES), tuning.batches.epoch(0), strict=False)
    for _, (images, targets) in batches:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tuning.loss(tf.constant(targets), model(images, training=False)))
        for total, kernel, gradient in zip(
            sums, kernels, tape.gradient(loss, [kernel.value for kernel in kernels]), strict=True
        ):
            change = np.asarray(gradient) * np.asarray(kernel)
            total += _channels_last(change, total.size).sum(0) ** 2
    found: dict[int, float] = {}
    for layer, total in zip(layers, sums, strict=True):
        for unit, value in _summed(dependencies.outputs[layer.name], total).items():
            found[unit] = found.get(unit, 0.0) + value
    return found


# by the word that a recipe has for it; the usual one needs none
IMPORTANCES = {"l1": Importance(l1), "bn": Importance(bn_scale), "taylor": Importance(taylor, is_loss=True)}


def _by_filter(model: Any, dependencies: Dependencies, size: Callable[[Any], np.ndarray]) -> dict[int, float]:
    found: dict[int, float] = {}
    for layer in model.layers:
        if layer.name in dependencies.makers:
            outputs = dependencies.outputs[layer.name]
            sizes = _channels_last(size(layer), len(outputs)).mean(0)
            for unit, value in _summed(outputs, sizes / max(sizes.mean(), 1e-12)).items():
                found[unit] = found.get(unit, 0.0) + value
    return found


def _kernel_variable(layer: Any) -> Any:
    return layer.pointwise_kernel if type(layer).__name__ == "SeparableConv2D" else layer.kernel


def _kernel(layer: Any) -> np.ndarray:
    kernel = np.asarray(_kernel_variable(layer))
    return np.swapaxes(kernel, -1, -2) if type(layer).__name__ == "Conv2DTranspose" else kernel


def _channels_last(values: np.ndarray, count: int) -> np.ndarray:
    """(weights of a channel, channels)."""
    if values.shape[-1] != count:  # a transposed convolution's gradient has its outputs last but one
        values = np.swapaxes(values, -1, -2)
    return values.reshape(-1, count)


def _summed(units: np.ndarray, values: np.ndarray) -> dict[int, float]:
    found: dict[int, float] = {}
    for unit, value in zip(units.tolist(), values.tolist(), strict=True):
        found[unit] = found.get(unit, 0.0) + float(value)
    return found
