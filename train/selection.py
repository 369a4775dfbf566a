"""Which of several networks to ship, judged by what training held out: the test set is left to tell the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..runtime.bundle import Card
from ..runtime.errors import TrainingError
from .augment import augmentation_of
from .calibration import fit_temperature, negative_log_likelihood
from .datasets import load_dataset, part_training_set
from .intervals import mcnemar_exact
from .keras_files import card_beside, load_keras_model
from .scores import keras_scores

DISTORTED_SEED = 7


@dataclass(frozen=True)
class HeldOut:
    """What a network makes of the images that it held out, and of them distorted.

    nll: mean negative log-likelihood, nats, at the temperature that is best on the images as they are.
    p: McNemar's, of its errors on the images as they are against the first network's; None of the first.
    """

    model: str
    errors: int
    images: int
    nll: float
    distorted_errors: int
    distorted_images: int
    distorted_nll: float
    p: float | None


def compare(models: Sequence[str], data: str, augment: str = "medium", views: int = 2) -> list[HeldOut]:
    """Training runs, or bundles with a `model.keras`, by the part of the data set `data` that they all held out.

    augment, views: an augmentation's name, and how many distorted copies of each image are judged.
    Raises TrainingError for a model without a card, for one of other classes or images, and where not all held out the
    same images; ConversionError and DatasetError where one is not there.
    """
    opened = [(name, *load_keras_model(name)) for name in models]
    cards = [_card(name, file) for name, file, _ in opened]
    first = cards[0]
    dataset = load_dataset(data, "train", first.input_shape, first.geometry)
    parts, learned = [_settings(card) for card in cards], dataset.sha256()
    for name, card, part in zip(models, cards, parts, strict=True):
        if (card.labels, card.input_shape) != (dataset.classes, dataset.input_shape):
            size = " × ".join(map(str, card.input_shape))
            raise TrainingError(f"{name}: {len(card.labels)} classes of {size}; {dataset.name} has others")
        if card.training and card.training.dataset_sha256 != learned:
            raise TrainingError(f"{name}: did not hold out of {dataset.name} as it is now, by its sha256")
        if part != parts[0]:
            told, wanted = ("seed {2}, holdout {0:g}, limit {1}".format(*one) for one in (part, parts[0]))
            raise TrainingError(f"{name}: held out other images ({told}) than {models[0]} ({wanted})")
    _, held = part_training_set(dataset, *parts[0])
    distort, rng = augmentation_of(augment, first.geometry), np.random.default_rng(DISTORTED_SEED)
    kinds = [held.images, *[distort(held.images, rng) for _ in range(views)]]
    rows: list[HeldOut] = []
    for name, _, model in opened:
        scores = [keras_scores(model, images) for images in kinds]
        temperature = fit_temperature(scores[0], held.labels)
        likelihoods = [negative_log_likelihood(one, held.labels, temperature) for one in scores]
        wrong, *distorted = [one.argmax(1) != held.labels for one in scores]
        if not rows:
            first_wrong = wrong
        against = int((first_wrong & ~wrong).sum()), int((wrong & ~first_wrong).sum())
        rows.append(
            HeldOut(
                model=name,
                errors=int(wrong.sum()),
                images=len(held),
                nll=round(likelihoods[0], 5),
                distorted_errors=int(np.sum(distorted)),
                distorted_images=views * len(held),
                distorted_nll=round(float(np.mean(likelihoods[1:])), 5),
                p=mcnemar_exact(*against) if rows else None,
            )
        )
    return rows


def _card(name: str, file: Path) -> Card:
    card = card_beside(file)
    if card is None or card.training is None:
        raise TrainingError(f"{name}: no card tells what it held out; wanted a training run, or a bundle made of one")
    if card.reads_lines:
        raise TrainingError(f"{name}: reads lines; wanted runs of classifiers")
    return card


def _settings(card: Card) -> tuple[float, int, int]:
    """(share, limit, seed) of the part that a run held out."""
    assert card.training is not None
    settings = card.training.settings
    return float(settings["holdout"]), int(settings["limit"]), card.training.seed
