"""Training batches: shuffled, augmented, and the same for the same (seed, epoch, step) whatever came before.

That is what makes a resumed run continue to the same result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from .augment import NONE, Augmentation


class EpochBatches(Protocol):
    """The batches of any epoch, by number."""

    def __len__(self) -> int: ...

    def order(self, epoch: int) -> Any:
        """The epoch's shuffle."""

    def batch(self, order: Any, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of one step of an epoch; `order` is `order(epoch)`."""

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All batches of one epoch."""


class Batches:
    """Batches of one training set.

    images: (N, H, W) or (N, H, W, C) uint8; targets: (N, …), whatever the loss takes (one-hot labels, logits).
    A batch is (images (B, H, W, C) float32 in [0, 255], targets (B, …)); the last, shorter one is kept.
    """

    def __init__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        augmentation: Augmentation = NONE,
        seed: int = 0,
    ) -> None:
        self.images, self.targets = images, targets
        self.batch_size, self.augmentation, self.seed = batch_size, augmentation, seed

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """(N,) int64: the epoch's shuffle."""
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.images))

    def chosen(self, order: np.ndarray, step: int) -> np.ndarray:
        """(B,) int64: indices of a step's images, sorted, which is kinder to the cache."""
        return np.sort(order[step * self.batch_size : (step + 1) * self.batch_size])

    def batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        """The batch of one step of an epoch; `order` is `order(epoch)`."""
        chosen = self.chosen(order, step)
        images = self.augmentation(self.images[chosen], np.random.default_rng((self.seed, epoch, step + 1)))
        return as_input(images), self.targets[chosen]

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All batches of one epoch."""
        order = self.order(epoch)
        return (self.batch(order, epoch, step) for step in range(len(self)))

    def before_wear(self) -> Batches:
        """The same batches, each glyph distorted alike but not worn."""
        unworn = replace(self.augmentation, wear=0.0)
        return Batches(self.images, self.targets, self.batch_size, unworn, self.seed)


class BatchesOf(Batches):
    """Batches of the same training set as others, for a subclass to change."""

    def __init__(self, batches: Batches) -> None:
        super().__init__(batches.images, batches.targets, batches.batch_size, batches.augmentation, batches.seed)


class EpochByEpoch:
    """Batches as Keras's loops take them, by index and one epoch after the other: mixed into the data-set class of
    Keras 3 or of tf_keras."""

    def __init__(self, batches: EpochBatches, first_epoch: int = 0) -> None:
        self._batches, self._epoch = batches, first_epoch
        self._order = batches.order(first_epoch)

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        return self._batches.batch(self._order, self._epoch, step)

    def on_epoch_end(self) -> None:
        """Shuffle and distort anew."""
        self._epoch += 1
        self._order = self._batches.order(self._epoch)


def as_input(images: np.ndarray) -> np.ndarray:
    """(N, H, W) or BGR (N, H, W, 3) uint8 as a network's input: (N, H, W, C) float32 in [0, 255], colour as RGB."""
    images = images[..., None] if images.ndim == 3 else images[..., ::-1]
    return np.ascontiguousarray(images, np.float32)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """(N, classes) float32."""
    return np.asarray(np.eye(classes, dtype=np.float32)[labels])
