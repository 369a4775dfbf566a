"""What is refused: of characters as few as may be, of everything else as much as can be, and what each costs.

Every image goes through `predict`, or `read`.  Beside the images that are named, kinds that are made here are judged:
scribbles, letters and signs of pen strokes (train/scribbles.py, of a seed that no training uses), noise, texture and
blank paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..runtime import ImageError, Recognizer
from ..runtime.errors import DatasetError
from ..runtime.image import ImageSource
from ..runtime.recognizer import SEVERAL
from ..train.datasets import is_image, load_dataset, resolve
from ..train.scribbles import KINDS, scribbles
from .coverage import Point
from .coverage import curve as coverage_curve
from .stats import wilson_interval

MADE_SEED = 90_210
MADE_EACH = 100  # images of each kind that is made


@dataclass(frozen=True)
class Answers:
    """Answers for the images of one kind.

    answered: (N,) bool, at the card's operating point.  confidences: (N,) of the best label, 0 where there was none or
    more than one.  right: (N,) bool, whether the best label is the image's; None where the images have none.
    """

    kind: str
    answered: np.ndarray
    confidences: np.ndarray
    right: np.ndarray | None = None

    @property
    def refused(self) -> int:
        """How many were."""
        return int((~self.answered).sum())

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the share refused."""
        return wilson_interval(self.refused, len(self.answered))


@dataclass(frozen=True)
class Answer:
    """What was said of an image.  text: the best, refused or not; '' where there was none.  answered: it was told.
    confidence: of it, 0 where there was none or more than one."""

    text: str
    answered: bool
    confidence: float


Ask = Callable[[ImageSource], Answer]


def by_predict(recognizer: Recognizer) -> Ask:
    """Asks for one character."""

    def ask(image: ImageSource) -> Answer:
        found = recognizer.predict(image)
        best = found.top[0][0] if found.top else ""
        return Answer(best, found.label is not None, 0.0 if found.reason == SEVERAL else found.confidence)

    return ask


def by_read(recognizer: Recognizer) -> Ask:
    """Asks for all that is written."""

    def ask(image: ImageSource) -> Answer:
        found = recognizer.read(image)
        return Answer(found.text, bool(found.lines), found.probability)

    return ask


def judge_characters(ask: Ask, data: str, limit: int) -> Answers:
    """Answers for the test part of a data set, or `limit` images of it, evenly spaced."""
    dataset = load_dataset(data, "test")
    chosen = dataset.spread(limit)
    answers = [ask(image) for image in chosen.images]
    right = [one.text == dataset.classes[label] for one, label in zip(answers, chosen.labels, strict=True)]
    return _answers(dataset.name, answers, np.array(right))


def judge_others(ask: Ask, source: str, without: Sequence[str], limit: int) -> Answers:
    """Answers for what is no character: a folder of images, or a data set less some of its classes."""
    folder, _ = resolve(source)
    files = sorted(filter(is_image, folder.iterdir())) if folder.is_dir() else []
    if files:
        images: Iterable[ImageSource] = files
        name, count = folder.resolve().name, len(files)
    else:
        dataset = load_dataset(source, "test")
        unknown = sorted(set(without) - set(dataset.classes))
        if unknown:
            raise DatasetError(f"{source}: no class {unknown[0]!r}; it has {', '.join(dataset.classes)}")
        left_out = [dataset.classes.index(label) for label in without]
        images = list(dataset.images[~np.isin(dataset.labels, left_out)])
        name, count = dataset.name, len(images)
    step = max(1, -(-count // limit))
    answers = []
    for image in list(images)[::step]:
        try:
            answers.append(ask(image))
        except ImageError as error:
            raise DatasetError(f"{source}: {error}") from None
    return _answers(name, answers)


def judge_made(ask: Ask, each: int = MADE_EACH) -> list[Answers]:
    """Answers for every kind that is made here."""
    rng = np.random.default_rng(MADE_SEED)
    found = [_answers(kind, [ask(glyph) for glyph in scribbles(each, rng, [kind])]) for kind in KINDS]
    for kind, make in (("noise", _noise), ("smooth texture", _smooth), ("blank paper", _blank)):
        found.append(_answers(kind, [ask(make(rng)) for _ in range(each)]))
    return found


def curve(characters: Answers, others: Sequence[Answers]) -> list[Point]:
    """Accuracy against coverage, as the operating point is moved."""
    assert characters.right is not None
    other = np.concatenate([answers.confidences for answers in others]) if others else np.zeros(0)
    return coverage_curve(characters.confidences, characters.right, other)


def _answers(kind: str, answers: Sequence[Answer], right: np.ndarray | None = None) -> Answers:
    answered = np.array([answer.answered for answer in answers])
    return Answers(kind, answered, np.array([answer.confidence for answer in answers]), right)


def _noise(rng: np.random.Generator) -> np.ndarray:
    shape = tuple(int(side) for side in rng.integers(28, 300, 2))
    return np.asarray(np.clip(rng.normal(rng.uniform(60, 220), rng.uniform(1, 40), shape), 0, 255), np.uint8)


def _smooth(rng: np.random.Generator) -> np.ndarray:
    field = cv2.GaussianBlur(rng.normal(0, 1, (200, 200)), (0, 0), rng.uniform(1, 15))
    return np.asarray(np.clip(128 + 60 * field / field.std(), 0, 255), np.uint8)


def _blank(rng: np.random.Generator) -> np.ndarray:
    """Paper in uneven light, with its grain."""
    height, width = (int(side) for side in rng.integers(60, 400, 2))
    light = np.linspace(rng.uniform(80, 250), rng.uniform(80, 250), width)
    return np.asarray(np.clip(light + rng.normal(0, rng.uniform(0, 3), (height, width)), 0, 255), np.uint8)
