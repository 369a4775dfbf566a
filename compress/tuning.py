"""Training a model further while it is made smaller: on the data, the loss and the distortions of its own training."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from ..runtime.bundle import Card
from ..runtime.scale import scaled_pixels
from ..train.backend import keras
from ..train.batches import Batches, BatchesOf, EpochByEpoch
from ..train.losses import Loss, label_loss
from ..train.memory import keep_memory
from ..train.mixture import mixed_batches
from ..train.normalization import measure_statistics
from ..train.training import KerasBatches
from .examples import Examples

ops = keras.ops

LEARNING_RATE = 1e-3  # peak of the cosine schedule
LAST_SHARE = 0.01  # of it at the end


@dataclass(frozen=True)
class Tuning:
    """batches: images in the model's range, and one-hot labels.  epochs: of them.  loss: of labels and outputs.
    is_probable: the outputs are probabilities, not logits."""

    batches: Batches
    epochs: int
    loss: Loss
    is_probable: bool = False

    @property
    def steps(self) -> int:
        """Batches in all."""
        return len(self.batches) * self.epochs


class ScaledBatches(BatchesOf):
    """Batches whose images are in a model's own range."""

    def __init__(self, batches: Batches, value_range: tuple[float, ...]) -> None:
        super().__init__(batches)
        self._value_range = value_range

    def batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        images, targets = super().batch(order, epoch, step)
        return scaled_pixels(images, self._value_range), targets


def tuning_of(card: Card, examples: Examples, epochs: int) -> Tuning:
    """How a card's model is trained further."""
    settings = card.training.settings if card.training else {}
    batches = mixed_batches(examples.train, settings, examples.seed)
    is_probable = card.output == "probabilities"
    loss = _probability_loss if is_probable else label_loss(is_open=card.refusal is not None)
    return Tuning(ScaledBatches(batches, card.value_range), epochs, loss, is_probable)


def _probability_loss(label: Any, probabilities: Any) -> Any:
    return -ops.sum(label * ops.log(ops.clip(probabilities, 1e-7, 1.0)), -1)


class _TFKerasBatches(EpochByEpoch, tf_keras.utils.Sequence):
    pass


def tune(model: Any, tuning: Tuning, callbacks: Sequence[Any] = (), learning_rate: float = LEARNING_RATE) -> None:
    """Train a model of either Keras further, in place."""
    tune_on(model, tuning.batches, tuning.epochs, tuning.loss, ["accuracy"], callbacks, learning_rate)


def tune_on(
    model: Any,
    batches: Batches,
    epochs: int,
    loss: Any,
    metrics: Sequence[Any],
    callbacks: Sequence[Any] = (),
    learning_rate: float = LEARNING_RATE,
) -> None:
    """As `tune`, on batches whose targets are what `loss` and `metrics` take."""
    library, sequence = (
        (keras, KerasBatches(batches)) if isinstance(model, keras.Model) else (tf_keras, _TFKerasBatches(batches))
    )
    schedule = library.optimizers.schedules.CosineDecay(learning_rate, len(batches) * epochs, alpha=LAST_SHARE)
    model.compile(library.optimizers.Adam(schedule), loss, metrics=list(metrics))
    keep_memory()
    model.fit(
        sequence,
        epochs=epochs,
        shuffle=False,  # Batches shuffles, by seed
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=list(callbacks),
    )
    if isinstance(model, keras.Model):
        settle(model, batches)


def settle(model: keras.Model, batches: Batches) -> None:
    """Measure batch normalization's statistics anew: their moving averages lag in so short a training."""
    measure_statistics(model, batches, 0)
