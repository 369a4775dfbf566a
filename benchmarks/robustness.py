"""How much a classifier loses as glyphs are corrupted, by MNIST-C's kinds at five severities, and on real ones."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..runtime import Recognizer, load_image
from ..runtime.errors import DatasetError, ModelError
from ..train.corruptions import CORRUPTIONS, OF_MNIST_C, SEVERITIES, corrupted
from ..train.datasets import load_dataset
from .stats import wilson_interval

CLEAN = "clean"
BOXES_FILE = "boxes.csv"  # columns file, digit, x, y, width, height
SEED = 31


class Box(NamedTuple):
    """A rectangle in an image's pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Judged:
    """Images of one kind that a model got wrong.  severity: 0 where there are none."""

    model: str
    kind: str
    severity: int
    errors: int
    images: int

    @property
    def accuracy(self) -> float:
        """Share that is right."""
        return 1 - self.errors / self.images

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.images - self.errors, self.images)


def judge_corrupted(
    models: Sequence[Recognizer],
    data: str,
    kinds: Sequence[str] = tuple(CORRUPTIONS),
    limit: int = 10_000,
    say: Callable[[str], None] = lambda line: None,
    as_photos: bool = False,
) -> list[Judged]:
    """Every model on the test part of a data set, or `limit` images of it, evenly spaced: clean, then corrupted.

    as_photos: each through `predict`, which finds the ink and shall answer even where it is not sure; else the bare
    network.
    Raises DatasetError for an unknown kind or coloured images, ModelError where a model has other classes.
    """
    dataset = load_dataset(data, "test")
    for model in models:
        if model.card.labels != dataset.classes:
            wanted = f"{', '.join(dataset.classes)} of {dataset.name}"
            raise ModelError(f"{model.card.name}: classes {', '.join(model.card.labels)}; wanted {wanted}")
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(limit, len(dataset))).astype(int))
    images, labels = dataset.images[chosen], dataset.labels[chosen]
    found = []
    for kind, severity in ((CLEAN, 0), *((kind, severity) for kind in kinds for severity in SEVERITIES)):
        shown = images if kind == CLEAN else corrupted(images, kind, severity, SEED)
        for model in models:
            if as_photos:
                errors = sum(
                    _answer(model, image) != dataset.classes[label] for image, label in zip(shown, labels, strict=True)
                )
            else:
                errors = int((model.predict_batch(shown).argmax(1) != labels).sum())
            found.append(Judged(model.card.name, kind, severity, errors, len(labels)))
        if severity in (0, SEVERITIES[-1]):
            say(kind)
    return found


def judge_boxes(models: Sequence[Recognizer], folder: Path) -> list[Judged]:
    """Every model on the single characters that a folder's `boxes.csv` frames in its images, each through `predict`,
    which shall answer even where it is not sure."""
    places = _boxes(folder / BOXES_FILE)
    errors = dict.fromkeys((model.card.name for model in models), 0)
    for name, boxes in itertools.groupby(places, key=lambda place: place[0]):
        image = load_image(folder / name)
        for _, label, (x, y, width, height) in boxes:
            part = np.ascontiguousarray(image[max(y, 0) : y + height, max(x, 0) : x + width])
            for model in models:
                errors[model.card.name] += _answer(model, part) != label
    return [Judged(model, folder.resolve().name, 0, wrong, len(places)) for model, wrong in errors.items()]


def _answer(model: Recognizer, image: np.ndarray) -> str:
    """The likeliest character, '' where nothing is found."""
    top = model.predict(image, min_confidence=0.0).top
    return top[0][0] if top else ""


def _boxes(path: Path) -> list[tuple[str, str, Box]]:
    """File, character and place of each row."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        sides = ("x", "y", "width", "height")
        places = [(row["file"], row["digit"], Box(*(int(row[side]) for side in sides))) for row in rows]
    except (OSError, KeyError, ValueError) as error:
        raise DatasetError(f"{path}: {error}; wanted columns file, digit, x, y, width, height") from None
    if not places:
        raise DatasetError(f"{path}: no box")
    return places


def mean_accuracy(judged: Sequence[Judged], model: str, as_published: bool = False) -> float:
    """Of one model over those of MNIST-C's kinds that were judged; nan where there is none.

    as_published: of each kind at the severity that is nearest to the published set's, else over all five.
    """
    of_model = [one for one in judged if one.model == model and one.kind in OF_MNIST_C]
    shares = [one.accuracy for one in of_model if not as_published or one.severity == OF_MNIST_C[one.kind]]
    return float(np.mean(shares)) if shares else float("nan")


def table(judged: Sequence[Judged]) -> str:
    """Markdown: a row for each kind and model, its accuracy at each severity and over all of them with its 95 % Wilson
    interval; then the mean over MNIST-C's kinds, and that at the severities of the published set."""
    models = list(dict.fromkeys(one.model for one in judged))
    lines = ["| kind | model | " + " | ".join(map(str, SEVERITIES)) + " | mean |", "|" + "---|" * (len(SEVERITIES) + 3)]
    for kind in dict.fromkeys(one.kind for one in judged):
        for model in models:
            rows = [one for one in judged if (one.kind, one.model) == (kind, model)]
            cells = [f"{100 * one.accuracy:.1f}" for one in rows if one.severity]
            cells = cells or [""] * len(SEVERITIES)
            images = sum(one.images for one in rows)
            right = images - sum(one.errors for one in rows)
            low, high = wilson_interval(right, images)
            whole = f"{100 * right / images:.1f} ({100 * low:.1f}–{100 * high:.1f})"
            lines.append(f"| {kind.replace('_', ' ')} | {model} | {' | '.join(cells)} | {whole} |")
    lines += [
        f"| **{title}** | {model} |{' |' * len(SEVERITIES)} {100 * mean_accuracy(judged, model, as_published):.1f} |"
        for title, as_published in (("mean over MNIST-C", False), ("the same, severity as published", True))
        for model in models
        if any(one.kind in OF_MNIST_C for one in judged)
    ]
    return "\n".join(lines) + "\n"


def document(judged: Sequence[Judged], data: str) -> dict[str, Any]:
    """All of it, for JSON."""
    models = dict.fromkeys(one.model for one in judged)
    return {
        "data": data,
        "mean_accuracy": {model: round(mean_accuracy(judged, model), 5) for model in models},
        "mean_accuracy_as_published": {model: round(mean_accuracy(judged, model, True), 5) for model in models},
        "results": [
            {**vars(one), "accuracy": round(one.accuracy, 5), "interval": [round(bound, 5) for bound in one.interval]}
            for one in judged
        ],
    }
