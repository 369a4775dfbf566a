"""Distillation while compressing (Hinton et al. 2015): the smaller model learns the source's answers beside the labels.

The source answers each batch as it comes, so that every distortion is new.
"""

from __future__ import annotations

import numpy as np

from ..train.backend import keras
from ..train.batches import Batches, BatchesOf
from ..train.distillation import LEAST_PROBABILITY, as_logits, distillation_loss, label_accuracy
from .tuning import Tuning, tune_on

TEMPERATURE = 3.0
SHARE = 0.8  # of the teacher in the loss


class TaughtBatches(BatchesOf):
    """Batches whose targets are (B, 2 × classes): the teacher's logits, then the one-hot label."""

    def __init__(self, batches: Batches, teacher: keras.Model, is_probable: bool) -> None:
        super().__init__(batches)
        self._batches, self._teacher, self._is_probable = batches, teacher, is_probable

    def batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        images, labels = self._batches.batch(order, epoch, step)
        answers = keras.ops.convert_to_numpy(self._teacher(images, training=False))
        logits = as_logits(answers) if self._is_probable else answers
        return images, np.concatenate([logits, labels], 1)


def distill(model: keras.Model, teacher: keras.Model, tuning: Tuning) -> keras.Model:
    """The model, trained on: a temperature's cross-entropy with the teacher's answers, and the labels."""
    batches = TaughtBatches(tuning.batches, teacher, tuning.is_probable)
    ops = keras.ops

    def loss(target: object, outputs: object) -> object:
        logits = ops.log(ops.clip(outputs, LEAST_PROBABILITY, 1.0)) if tuning.is_probable else outputs
        return taught(target, logits)

    def label_part(label: object, logits: object) -> object:
        return tuning.loss(label, ops.exp(logits) if tuning.is_probable else logits)

    taught = distillation_loss(TEMPERATURE, SHARE, label_part)
    accuracy = keras.metrics.MeanMetricWrapper(label_accuracy, name="accuracy")
    tune_on(model, batches, tuning.epochs, loss, [accuracy])
    return model
