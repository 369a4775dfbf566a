"""How much a classifier loses as glyphs are corrupted, by MNIST-C's kinds at five severities, and on real ones."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..runtime import Recognizer
from ..runtime.bundle import Card
from ..runtime.errors import DatasetError, ModelError
from ..runtime.geometry import IMAGE_GEOMETRIES
from ..runtime.image import read_image
from ..train.corruptions import CORRUPTIONS, OF_MNIST_C, SEVERITIES, corrupted
from ..train.datasets import Dataset, load_dataset
from .accuracy import answers, load_in_geometry
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
    """Images of one kind that a model got wrong.  severity: 0 where there are none.  right: (images,) bool, which were
    answered right; of all severities the same images, in the same order."""

    model: str
    kind: str
    severity: int
    errors: int
    images: int
    right: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_), repr=False, compare=False)

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
    Raises DatasetError for an unknown kind or images that are not the model's, ModelError where a model takes colour,
    reads lines or has other classes.
    """
    cards = [model.card for model in models]
    for card in cards:
        if card.reads_lines or card.input_shape[-1] != 1:
            taken = "reads whole lines" if card.reads_lines else f"takes images in colour, {card.input_shape}"
            raise ModelError(f"{card.name}: {taken}; wanted a model of single grey images, which alone are corrupted")
    keys = [(card.input_shape, card.geometry) for card in cards]  # models of one key are shown the same images
    chosen: dict[Any, Dataset] = {}
    for card, key in zip(cards, keys, strict=True):
        dataset = chosen.get(key) or _grey_images(data, card, as_photos)
        if card.labels != dataset.classes:
            wanted = f"{', '.join(dataset.classes)} of {dataset.name}"
            raise ModelError(f"{card.name}: classes {', '.join(card.labels)}; wanted {wanted}")
        chosen[key] = dataset.spread(limit)
    found = []
    names = _names(models)
    for kind, severity in ((CLEAN, 0), *((kind, severity) for kind in kinds for severity in SEVERITIES)):
        shown = {
            key: part.images if kind == CLEAN else corrupted(part.images, kind, severity, SEED)
            for key, part in chosen.items()
        }
        for model, name, key in zip(models, names, keys, strict=True):
            labels = chosen[key].labels
            if as_photos:
                given = np.array([_answer(model, image) for image in shown[key]])
                right = given == np.array(model.card.labels)[labels]
            else:
                right = answers(model, shown[key]).argmax(1) == labels
            found.append(Judged(name, kind, severity, int((~right).sum()), len(labels), right))
        if severity in (0, SEVERITIES[-1]):
            say(kind)
    return found


def _grey_images(data: str, card: Card, as_photos: bool) -> Dataset:
    """The test part as a model takes it; of a size of its own for `predict`, where that finds the ink first."""
    if not as_photos or card.geometry in IMAGE_GEOMETRIES:
        return load_in_geometry(data, card)
    dataset = load_dataset(data, "test")
    rows, columns, channels = dataset.input_shape
    return dataset if channels == 1 else load_dataset(data, "test", (rows, columns, 1))


def judge_boxes(models: Sequence[Recognizer], folder: Path) -> list[Judged]:
    """Every model on the single characters that a folder's `boxes.csv` frames in its images, each through `predict`,
    which shall answer even where it is not sure."""
    places = _boxes(folder / BOXES_FILE)
    errors = dict.fromkeys(_names(models), 0)
    for file, boxes in itertools.groupby(places, key=lambda place: place[0]):
        image, reduction = read_image(folder / file)  # boxes are in the file's pixels
        for _, label, box in boxes:
            x, y, width, height = (round(side / reduction) for side in box)
            part = np.ascontiguousarray(image[max(y, 0) : y + height, max(x, 0) : x + width])
            if not part.size:
                raise DatasetError(f"{folder / file}: box {tuple(box)} lies outside of the image")
            for name, model in zip(errors, models, strict=True):
                errors[name] += _answer(model, part) != label
    return [Judged(model, folder.resolve().name, 0, wrong, len(places)) for model, wrong in errors.items()]


def _names(models: Sequence[Recognizer]) -> list[str]:
    """The models' names, with their artifacts' where one comes twice, and numbered where those are equal too."""
    names = [model.card.name for model in models]
    files = [f"{name}/{model.artifact.file}" for name, model in zip(names, models, strict=True)]
    numbered = [f"{file} ({files[: place + 1].count(file)})" for place, file in enumerate(files)]
    return [
        name if names.count(name) == 1 else file if files.count(file) == 1 else number
        for name, file, number in zip(names, files, numbered, strict=True)
    ]


def _answer(model: Recognizer, image: np.ndarray) -> str:
    """The likeliest character, '' where nothing is found."""
    top = model.predict(image, min_confidence=0.0).top
    return top[0][0] if top else ""


def _boxes(path: Path) -> list[tuple[str, str, Box]]:
    """File, character and place of each row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
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


def mean_interval(rows: Sequence[Judged]) -> tuple[float, float, float]:
    """The mean accuracy of several judgements of the same images, and its 95 % Wilson interval.

    Five severities of an image are not five images: the interval is of so many independent answers as would leave the
    mean as uncertain as the spread of the images' own means does (Korn and Graubard 1998, Survey Methodology 24).
    """
    share = float(np.mean([one.accuracy for one in rows]))
    answered = rows[0].images
    if len(rows) > 1 and all(len(one.right) == answered for one in rows):
        variance = float(np.mean([one.right for one in rows], 0).var()) / answered
        if variance > 0:
            answered = min(round(share * (1 - share) / variance), answered * len(rows))
    return share, *wilson_interval(round(share * answered), answered)


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
            share, low, high = mean_interval(rows)
            whole = f"{100 * share:.1f} ({100 * low:.1f}–{100 * high:.1f})"
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
            {**_told(one), "accuracy": round(one.accuracy, 5), "interval": [round(bound, 5) for bound in one.interval]}
            for one in judged
        ],
    }


def _told(one: Judged) -> dict[str, Any]:
    return {name: value for name, value in vars(one).items() if name != "right"}
