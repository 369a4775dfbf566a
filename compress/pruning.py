"""Magnitude pruning and 2:4 sparsity through tensorflow-model-optimization, with fine-tuning (Zhu and Gupta 2017)."""

from __future__ import annotations

from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from ..runtime.errors import ConversionError
from ..train.backend import keras
from .bridge import copy_weights, to_tf_keras
from .tuning import Tuning, settle, tune

PRUNED_LAYERS = ("Conv2D", "Conv2DTranspose", "Dense")  # depthwise kernels are few, and each counts
RAMP_SHARE = 0.5  # of the fine-tuning steps: sparsity rises over these, then the rest recovers
PATTERN = (2, 4)  # zeros, of so many weights in a row along the input channels
SPARSE_CHANNELS = 4  # a layer whose input channels are no multiple has no such rows


def prune(model: keras.Model, sparsity: float, tuning: Tuning) -> keras.Model:
    """A copy of a Keras 3 model in which `sparsity` of each convolution's and dense layer's weights are zero.

    Raises ConversionError where a layer cannot cross to tf_keras.
    """
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=max(1, round(tuning.steps * RAMP_SHARE)),
        frequency=_frequency(tuning),
    )
    return _pruned(model, tuning, lambda layer: {"pruning_schedule": schedule})


def prune_2_of_4(model: keras.Model, tuning: Tuning) -> keras.Model:
    """A copy of a Keras 3 model in which two of every four weights in a row are zero: the pattern that hardware with
    sparse kernels takes.  Layers whose input channels are no multiple of four stay dense.  Raises as `prune`, and
    where those are all."""
    schedule = tfmot.sparsity.keras.ConstantSparsity(0.5, begin_step=0, frequency=_frequency(tuning))

    def options(layer: Any) -> dict[str, Any] | None:
        if int(layer.kernel.shape[-2]) % SPARSE_CHANNELS:
            return None
        return {"pruning_schedule": schedule, "sparsity_m_by_n": PATTERN}

    return _pruned(model, tuning, options, f" whose input channels are a multiple of {SPARSE_CHANNELS}")


def _frequency(tuning: Tuning) -> int:
    return max(1, min(20, tuning.steps // 20))


def _pruned(model: keras.Model, tuning: Tuning, options: Any, which: str = "") -> keras.Model:
    wrapped = []

    def wrap(layer: Any) -> Any:
        chosen = options(layer) if type(layer).__name__ in PRUNED_LAYERS else None
        if chosen is None:
            return layer
        wrapped.append(layer.name)
        return tfmot.sparsity.keras.prune_low_magnitude(layer, **chosen)

    pruned = tf_keras.models.clone_model(to_tf_keras(model), clone_function=wrap)
    if not wrapped:
        raise ConversionError(f"{model.name}: no layer to prune; wanted one of {', '.join(PRUNED_LAYERS)}{which}")
    tune(pruned, tuning, [tfmot.sparsity.keras.UpdatePruningStep()])
    result = keras.models.clone_model(model)
    copy_weights(tfmot.sparsity.keras.strip_pruning(pruned), result)
    settle(result, tuning.batches)
    return result
