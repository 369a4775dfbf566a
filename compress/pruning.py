"""Magnitude pruning through tensorflow-model-optimization, with fine-tuning (Zhu and Gupta 2017)."""

from __future__ import annotations

import sys
from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from ..train.backend import keras
from ..train.batches import Batches, EpochByEpoch
from ..train.losses import label_loss
from .bridge import copy_weights_back, to_tf_keras

PRUNED_LAYERS = ("Conv2D", "Conv2DTranspose", "Dense")  # depthwise kernels are few, and each counts
RAMP_SHARE = 0.5  # of the fine-tuning steps: sparsity rises over these, then the rest recovers
LEARNING_RATE = 1e-3  # peak of the cosine schedule of fine-tuning


def prune(model: keras.Model, sparsity: float, batches: Batches, epochs: int, is_open: bool = False) -> keras.Model:
    """A copy of a Keras 3 model in which `sparsity` of each convolution's and dense layer's weights are zero.

    batches: images and one-hot labels to fine-tune on.  is_open: as of label_loss.
    Raises ConversionError where a layer cannot cross to tf_keras.
    """
    steps = len(batches) * epochs
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=sparsity,
        begin_step=0,
        end_step=max(1, round(steps * RAMP_SHARE)),
        frequency=max(1, min(20, steps // 20)),
    )

    def wrap(layer: Any) -> Any:
        if type(layer).__name__ not in PRUNED_LAYERS:
            return layer
        return tfmot.sparsity.keras.prune_low_magnitude(layer, pruning_schedule=schedule)

    bridged = to_tf_keras(model)
    pruned = tf_keras.models.clone_model(bridged, clone_function=wrap)
    pruned.compile(
        tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps, alpha=0.01)),
        label_loss(is_open=is_open),
        metrics=["accuracy"],
    )
    pruned.fit(
        _Sequence(batches),
        epochs=epochs,
        shuffle=False,  # Batches shuffles, by seed
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    result = keras.models.clone_model(model)
    copy_weights_back(tfmot.sparsity.keras.strip_pruning(pruned), result)
    return result


class _Sequence(EpochByEpoch, tf_keras.utils.Sequence):
    """Batches for tf_keras."""
