"""Low-rank factorisation: a dense or 1×1 layer becomes two narrow ones by its singular value decomposition (Denton et
al. 2014), where that takes fewer multiplications."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..runtime.errors import ConversionError
from ..train.backend import keras
from ..train.graph import graph_of, rebuilt

layers = keras.layers


def factorise(model: keras.Model, energy: float) -> keras.Model:
    """A Keras 3 model whose dense and pointwise layers keep `energy` of the sum of their squared singular values.

    Raises ConversionError where no layer gets smaller by it.
    """
    factors = {layer.name: found for layer in graph_of(model).layers if (found := _factors(layer, energy))}
    if not factors:
        raise ConversionError(f"{model.name}: no dense or 1×1 layer is smaller in two of {100 * energy:.0f} % energy")

    def make(layer: Any) -> Any:
        if layer.name not in factors:
            return type(layer).from_config(layer.get_config())
        first, second = _pair(layer, factors[layer.name][0].shape[-1])
        return lambda x: second(first(x))

    def make_input(layer: Any) -> Any:
        return keras.Input(batch_shape=layer.batch_shape, dtype=layer.dtype, name=layer.name)

    smaller = rebuilt(model, make_input, make, keras.Model)
    made = {layer.name: layer for layer in smaller.layers}
    for layer in graph_of(model).layers:
        if layer.name in factors:
            first, second = factors[layer.name]
            made[f"{layer.name}_in"].set_weights([first])
            made[layer.name].set_weights([second, *layer.get_weights()[1:]])
        elif layer.weights:
            made[layer.name].set_weights(layer.get_weights())
    return smaller


def _factors(layer: Any, energy: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Two kernels whose product is nearly the layer's; None of a layer that would not get smaller."""
    kind = type(layer).__name__
    if kind == "Conv2D" and (layer.kernel_size != (1, 1) or layer.strides != (1, 1) or layer.groups != 1):
        return None
    if kind not in ("Dense", "Conv2D"):
        return None
    kernel = np.asarray(layer.kernel)
    matrix = kernel.reshape(kernel.shape[-2:])
    left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
    kept = np.cumsum(sizes**2) / np.sum(sizes**2)
    rank = int(np.searchsorted(kept, energy - 1e-9)) + 1
    if rank * sum(matrix.shape) >= matrix.size:
        return None
    root = np.sqrt(sizes[:rank])
    first, second = left[:, :rank] * root, root[:, None] * right[:rank]
    return first.reshape(*kernel.shape[:-1], rank), second.reshape(*kernel.shape[:-2], rank, kernel.shape[-1])


def _pair(layer: Any, rank: int) -> tuple[Any, Any]:
    config = layer.get_config()
    if type(layer).__name__ == "Dense":
        return layers.Dense(rank, use_bias=False, name=f"{layer.name}_in"), layers.Dense.from_config(config)
    first = layers.Conv2D(rank, 1, use_bias=False, name=f"{layer.name}_in", data_format=config["data_format"])
    return first, layers.Conv2D.from_config(config)
