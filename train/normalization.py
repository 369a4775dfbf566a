"""Batch normalization's statistics, measured at the end of training."""

from __future__ import annotations

from .backend import keras
from .batches import EpochBatches

STATISTICS_BATCHES = 64  # over which they are measured


def measure_statistics(model: keras.Model, batches: EpochBatches, epoch: int) -> None:
    """Set batch normalization's means and variances to those under the weights as they are (Izmailov et al. 2018,
    section 3.2): the moving averages belong to weights before they were averaged, and lag in a short run."""
    normalizations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    if not normalizations:
        return
    usual = normalizations[0].momentum
    for count, (images, _) in zip(range(STATISTICS_BATCHES), batches.epoch(epoch), strict=False):
        for layer in normalizations:
            layer.momentum = count / (count + 1)  # a plain mean over the batches
        model(images, training=True)
    for layer in normalizations:
        layer.momentum = usual
