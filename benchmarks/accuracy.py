"""How often an artifact is right: a data set's images in its geometry, its answers, errors with their interval."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..runtime.bundle import Card
from ..runtime.errors import DatasetError
from ..runtime.files import sha256_file
from ..runtime.geometry import IMAGE_GEOMETRIES
from ..runtime.recognizer import Recognizer
from ..train.calibration import expected_calibration_error
from ..train.datasets import (
    Dataset,
    is_image,
    load_dataset,
    match_classes,
    part_training_set,
    resolve,
    stratified_split,
)
from .stats import wilson_interval

MAX_IMAGES = 10_000  # judged of one data set; MNIST's test set is as large
SAMPLE_SEED = 0  # of the sample where there are more: every artifact and every run is judged on the same one
TOP = 3  # answers among which the label may be
CHUNK = 256  # glyphs a call: an engine that takes them all at once would hold all their activations


@dataclass(frozen=True)
class Judges:
    """Labelled glyphs in one card's geometry.

    glyphs: (N, H, W) or RGB (N, H, W, 3) uint8.  labels: (N,) int64, indices into the card's labels.
    available: images in the data set, of which N are judged.  order: the data set's classes where they were matched by
    their order; none where by name.
    """

    dataset: str
    split: str
    glyphs: NDArray[np.uint8]
    labels: NDArray[np.int64]
    available: int
    order: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Accuracy:
    """errors of images; interval: 95 % of the error share, in [0, 1]; ece: expected calibration error, in [0, 1];
    right: (images,) bool, which were answered right.  top3: share whose label is among the three most probable.
    macro_f1: the mean over the classes of the harmonic mean of precision and recall; both in [0, 1]."""

    errors: int
    images: int
    interval: tuple[float, float]
    ece: float
    right: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_), repr=False, compare=False)
    top3: float = 0.0
    macro_f1: float = 0.0


def load_judges(source: str, card: Card, bare: bool, limit: int = MAX_IMAGES) -> Judges:
    """The data set's test images as the card's model takes them; a stratified sample where there are over `limit`.

    bare: the card was made up for a file without one, so that class i of the data set is output i of the model.
    Raises DatasetError where the data set is missing or is not the model's kind.
    """
    dataset = load_in_geometry(source, card)
    mapping, by_position = match_classes(dataset, card.labels, bare)
    available = len(dataset)
    if available > limit:
        _, chosen = stratified_split(dataset.labels, limit / available, SAMPLE_SEED)
        dataset = dataset.subset(chosen)
    glyphs = dataset.images[..., ::-1] if dataset.images.ndim == 4 else dataset.images  # BGR to the networks' RGB
    return Judges(
        dataset.name,
        dataset.split,
        np.ascontiguousarray(glyphs),
        mapping[dataset.labels],
        available,
        dataset.classes if by_position else (),
    )


def claimed_judges(source: str, card: Card, limit: int = MAX_IMAGES) -> Judges:
    """The images that a card's figures are of: the test part, or of a set without one the part that its seed holds out.

    Raises DatasetError as `load_judges`.
    """
    dataset = load_in_geometry(source, card)
    if dataset.split != "all":
        return load_judges(source, card, bare=False, limit=limit)
    settings = card.training.settings if card.training else {}
    if card.compression is None and card.training is None:
        raise DatasetError(f"{card.name}: its card does not say which part of {dataset.name} judged it")
    share = card.compression.holdout if card.compression else float(settings.get("holdout", 1 / 12))
    seed = card.compression.seed if card.compression else card.training.seed if card.training else 0
    _, held = part_training_set(dataset, share, int(settings.get("limit", 0)), seed)
    mapping, _ = match_classes(held, card.labels, bare=False)
    glyphs = held.images[..., ::-1] if held.images.ndim == 4 else held.images
    return Judges(held.name, held.split, np.ascontiguousarray(glyphs), mapping[held.labels], len(held))


def data_sha256(source: str, split: str) -> str:
    """Of a data set's test images and labels as they lie there, in their order, before a model's geometry: of two runs
    it tells whether they were judged on the same, whatever their models take.

    split: as of Judges.  Of a labelled folder it is of its classes' names and its files' bytes.
    """
    path, _ = resolve(source)
    if split != "all" or path.is_file():
        return load_dataset(source, "test").sha256()
    files = [file for file in sorted(path.glob("[!.]*/*")) if is_image(file)]
    return hashlib.sha256(repr([(file.parent.name, sha256_file(file)) for file in files]).encode()).hexdigest()


def answers(recognizer: Recognizer, glyphs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, classes) float32 probabilities of glyphs in the card's geometry."""
    parts = [recognizer.predict_batch(glyphs[start : start + CHUNK]) for start in range(0, len(glyphs), CHUNK)]
    return np.concatenate(parts)


def judge(recognizer: Recognizer, judges: Judges) -> Accuracy:
    """Errors, their interval and the calibration of an artifact."""
    probabilities = answers(recognizer, judges.glyphs)
    right = probabilities.argmax(1) == judges.labels
    errors = int((~right).sum())
    return Accuracy(
        errors=errors,
        images=len(judges),
        interval=wilson_interval(errors, len(judges)),
        ece=expected_calibration_error(probabilities, judges.labels),
        right=right,
        top3=float((np.argsort(-probabilities, axis=1)[:, :TOP] == judges.labels[:, None]).any(1).mean()),
        macro_f1=macro_f1(probabilities.argmax(1), judges.labels),
    )


def macro_f1(answered: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The mean F1 of the classes that occur among the labels, in [0, 1]."""
    classes = np.unique(labels)
    hits = np.array([int(((answered == one) & (labels == one)).sum()) for one in classes])
    said = np.array([int((answered == one).sum()) for one in classes])
    true = np.array([int((labels == one).sum()) for one in classes])
    return float((2 * hits / (said + true)).mean())


def load_in_geometry(source: str, card: Card) -> Dataset:
    """The test part with images (N, H, W) or BGR (N, H, W, 3) of the card's input shape.

    Raises DatasetError where the data set is missing, or is not of glyphs as large as an ink geometry makes them.
    """
    if card.geometry in IMAGE_GEOMETRIES:
        return load_dataset(source, "test", card.input_shape, card.geometry)
    dataset = load_dataset(source, "test")  # at its own size: an ink geometry wants glyphs, made already
    height, width, _ = card.input_shape
    rows, columns, _ = dataset.input_shape
    if (rows, columns) != (height, width):
        raise DatasetError(
            f"{dataset.name}: images of {rows} × {columns}; {card.name} is judged on glyphs of {height} × {width}"
        )
    if dataset.input_shape == card.input_shape:
        return dataset
    return load_dataset(source, "test", card.input_shape)  # only the channels differ
