"""Distillation (Hinton et al. 2015): a small network learns a large one's logits beside the labels.

The training images are augmented in a fixed number of views, which come round again; the teachers answer each view
once, and their logits are kept in the run's folder.  Where glyphs are worn (`--augment harsh`) the teachers see them
before that: what a glyph was is better known than what is left of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.errors import TrainingError
from ..runtime.files import replacing
from ..runtime.recognizer import are_probabilities
from ..runtime.scale import WHOLE, scale_text
from .backend import keras
from .batches import Batches, BatchesOf
from .keras_files import card_beside, load_keras_model
from .losses import Loss, right_answers
from .scores import scores_of_inputs

ops = keras.ops
LEAST_PROBABILITY = 1e-7  # whose logarithm is taken


@dataclass(frozen=True)
class Teacher:
    """A network to learn from.  value_range: what its input takes 0 and 255 as.  is_probable: it ends in a softmax."""

    model: keras.Model
    value_range: tuple[float, ...] = WHOLE
    is_probable: bool = False

    def logits(self, images: np.ndarray) -> np.ndarray:
        """(N, classes) float32 of (N, H, W, C) float32 images in [0, 255]."""
        answers = scores_of_inputs(self.model, images, self.value_range)
        return as_logits(answers) if self.is_probable else answers


def as_logits(probabilities: np.ndarray) -> np.ndarray:
    """Logits whose softmax is these probabilities."""
    return np.asarray(np.log(np.maximum(probabilities, LEAST_PROBABILITY)))


class DistillationBatches(BatchesOf):
    """Batches whose targets are (B, 2 × classes): the teachers' logits, then the one-hot label."""

    def __init__(self, batches: Batches, teacher_logits: np.ndarray) -> None:
        """teacher_logits: (views, N, classes); epoch e is view e modulo views, in order and distortion."""
        super().__init__(batches)
        self._logits = teacher_logits

    def order(self, epoch: int) -> np.ndarray:
        return super().order(epoch % len(self._logits))

    def batch(self, order: np.ndarray, epoch: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        view = epoch % len(self._logits)
        images, labels = super().batch(order, view, step)
        logits = self._logits[view, self.chosen(order, step)].astype(np.float32)
        return images, np.concatenate([logits, labels], 1)


def teach(
    teachers: Sequence[Teacher], batches: Batches, views: int, kept: Path, say: Callable[[str], None]
) -> np.ndarray:
    """(views, N, classes) float16: the mean of the teachers' logits for every image of the first `views` epochs.

    Kept in the file `kept`, from which a later call takes them.
    """
    shape = (views, len(batches.images), batches.targets.shape[1])
    if kept.exists():
        logits = np.load(kept)
        if logits.shape == shape:
            return np.asarray(logits)
    logits = np.empty(shape, np.float16)
    seen = batches.before_wear()
    for view in range(views):
        order = batches.order(view)
        for step in range(len(batches)):
            images, _ = seen.batch(order, view, step)
            logits[view, batches.chosen(order, step)] = mean_logits(teachers, images)
        say(f"teacher's logits: view {view + 1} of {views}")
    with replacing(kept) as temporary:
        np.save(temporary, logits)
    return logits


def load_teachers(
    names: str, shape: tuple[int, int, int], classes: Sequence[str], scale: tuple[float, ...] | None = None
) -> list[Teacher]:
    """Networks by their runs, bundles or .keras files, with commas between.  A card tells the range of a network's
    input and what it ends in; of a bare file `scale` the former (None: 0 and 255), and its answer to a black image the
    latter.

    Raises TrainingError where one takes other images than of `shape`, or gives other classes, or in another order.
    """
    return [_load_teacher(name.strip(), shape, classes, scale) for name in names.split(",")]


def _load_teacher(
    name: str, shape: tuple[int, int, int], classes: Sequence[str], scale: tuple[float, ...] | None
) -> Teacher:
    path, model = load_keras_model(name)
    takes, gives = tuple(model.inputs[0].shape[1:]), model.outputs[0].shape[-1]
    if (takes, gives) != (shape, len(classes)):
        raise TrainingError(
            f"teacher {model.name} takes {takes} to {gives} classes; the data has {shape} and {len(classes)} classes"
        )
    if card := card_beside(path):
        if card.labels != tuple(classes):
            known, wanted = (", ".join(some) for some in (card.labels, classes))
            raise TrainingError(f"teacher {path} knows {known}; the data has {wanted}")
        if scale and (reason := card.against_scale(scale)):
            raise TrainingError(f"teacher_scale {scale_text(scale)}: {path} {reason}")
        return Teacher(model, card.value_range, card.output == "probabilities")
    scale = scale or WHOLE
    answer = scores_of_inputs(model, np.zeros((1, *shape), np.float32), scale)
    return Teacher(model, scale, are_probabilities(answer))


def mean_logits(teachers: Sequence[Teacher], images: np.ndarray) -> np.ndarray:
    """(N, classes) float32: the mean of the teachers' logits for images as batches have them."""
    return np.asarray(np.mean([teacher.logits(images) for teacher in teachers], 0))


def distillation_loss(temperature: float, share: float, label_loss: Loss) -> Loss:
    """`share` × T² × cross-entropy with the teacher at temperature T, plus the rest with the label (section 2).

    Where the teacher is wrong, and of an outlier, whose label is all zeros, the label alone is learned: a teacher may
    not know styles and outliers that were added.
    """

    def loss(target: Any, logits: Any) -> Any:
        teacher, label = ops.split(target, 2, axis=-1)
        soft = ops.categorical_crossentropy(ops.softmax(teacher / temperature), logits / temperature, from_logits=True)
        is_right = ops.equal(ops.argmax(teacher, -1), ops.argmax(label, -1))
        taught = share * ops.sum(label, -1) * ops.cast(is_right, label.dtype)
        return taught * temperature**2 * soft + (1 - taught) * label_loss(label, logits)

    return loss


def label_accuracy(target: Any, logits: Any) -> Any:
    """As `right_answers`, of the labels in distillation's targets."""
    _, label = ops.split(target, 2, axis=-1)
    return right_answers(label, logits)
