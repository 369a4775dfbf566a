"""k-fold evaluation of a line reader on a folder of labelled lines: every line is judged by a network that did not
learn from it, and labels that it surely contradicts are listed for a person to look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.bundle import CARD_FILE, read_bundle
from ..runtime.engine import Engine, Logits, Pixels
from ..runtime.errors import TrainingError, counted
from ..runtime.explain import save_picture
from ..runtime.files import write_csv, write_json
from ..runtime.geometry import STRIP_SHAPE
from ..runtime.labels import LABELS_FILE
from ..runtime.strip_reader import StripReader
from .architectures import LINE_ARCHITECTURES
from .backend import keras
from .config import TrainingConfig
from .datasets import resolve
from .keras_files import MODEL_FILE
from .line_training import fit_lines
from .lines import Lines, read_lines_folder, sheet
from .training import Say, began_with, check_folder

SURE = 0.5  # probability of a reading at which it contradicts a label


@dataclass(frozen=True)
class Fold:
    """What one network made of the lines that it did not learn from."""

    right: int
    total: int

    @property
    def accuracy(self) -> float:
        """Share of its lines read right."""
        return self.right / self.total


def cross_validate(config: TrainingConfig, count: int, folder: Path, resume: bool, say: Say) -> list[Fold]:
    """Train `count` networks, each without one part of the lines, in `folder`/fold-1, ….

    Writes `folds.json` (accuracy of each, mean, standard deviation), `lines.csv` (file, text, got, fold) and, where
    a network surely reads something else than a label says, `suspects.csv` and `suspects.png`.
    Raises TrainingError where the data is no folder of lines or has fewer lines than folds, or where a fold was
    trained with other options or on other lines.
    """
    if config.arch not in LINE_ARCHITECTURES:
        raise TrainingError(f"{config.arch}: folds judge readers of lines; wanted {' or '.join(LINE_ARCHITECTURES)}")
    path, _ = resolve(config.data)
    if not (path / LABELS_FILE).is_file():
        raise TrainingError(f"{config.data}: folds want a folder with a {LABELS_FILE}")
    lines = read_lines_folder(path, say)
    if count > len(lines):
        raise TrainingError(f"{counted(len(lines), 'line')} for {count} folds; wanted at least a line each")
    parts = np.array_split(np.random.default_rng(config.seed).permutation(len(lines)), count)
    folds: list[Fold] = []
    readings: list[tuple[str, float]] = [("", 0.0)] * len(lines)
    fold_of = np.zeros(len(lines), np.int64)
    for number, part in enumerate(map(np.sort, parts), 1):
        out = folder / f"fold-{number}"
        others = lines.subset(np.setdiff1d(np.arange(len(lines)), part))
        if (out / CARD_FILE).exists():
            check_folder(config, out, resume=True)
            began_with(out, config, others.sha256())
        else:
            fit_lines(config, others, lines.subset(part), out, resume or out.exists(), say)
        fold_of[part] = number
        for i, reading in zip(part.tolist(), _read_all(out, lines.subset(part)), strict=True):
            readings[i] = reading
        right = sum(readings[i][0] == lines.texts[i] for i in part)
        folds.append(Fold(right, len(part)))
        say(f"fold {number}: {right} of {len(part)} lines right ({100 * folds[-1].accuracy:.1f} %)")
    accuracies = np.array([fold.accuracy for fold in folds])
    spread = float(accuracies.std(ddof=1)) if count > 1 else 0.0
    say(f"{count} folds: {100 * accuracies.mean():.1f} % of lines right, standard deviation {100 * spread:.1f}")
    result = {"accuracies": accuracies.tolist(), "mean": float(accuracies.mean()), "standard_deviation": spread}
    write_json(folder / "folds.json", result)
    rows = zip(lines.files, lines.texts, (got for got, _ in readings), fold_of.tolist(), strict=True)
    write_csv(folder / "lines.csv", [("file", "text", "got", "fold"), *rows])
    _write_suspects(folder, lines, readings, say)
    return folds


def suspects(texts: Sequence[str], readings: Sequence[tuple[str, float]]) -> list[int]:
    """Lines that are read otherwise than their label says with at least SURE, the surest first.

    readings: the text and the probability of each line, by a network that did not learn from it: those that did know
    a wrong label by heart (Northcutt et al. 2021).
    """
    found = [
        i for i, (text, (got, sure)) in enumerate(zip(texts, readings, strict=True)) if got != text and sure >= SURE
    ]
    return sorted(found, key=lambda i: -readings[i][1])


def _read_all(run: Path, lines: Lines) -> list[tuple[str, float]]:
    """What the line reader on the device would read of each line by a run's network, and how sure it is.

    It knows signs where a label has some.
    """
    card = read_bundle(run).card
    reader = StripReader(card, _Network(keras.models.load_model(run / MODEL_FILE, compile=False)))
    signs = not all(label.isalnum() for label in lines.classes)
    return [reader.read(strip, signs) for strip in lines.strips]


class _Network(Engine):
    """A Keras model where the device has an artifact."""

    name = "keras"

    def __init__(self, model: Any) -> None:
        self._model = model
        self.input_shape, self.classes = STRIP_SHAPE, model.output_shape[-1]

    def run(self, pixels: Pixels) -> Logits:
        logits = self._model.predict_on_batch(pixels.astype(np.float32))  # compiled: a seventh of a call's time
        return np.asarray(logits, np.float32).reshape(len(pixels), -1, self.classes)

    def bare_call(self, pixels: Pixels) -> Callable[[], object]:
        return lambda: self.run(pixels)


def _write_suspects(folder: Path, lines: Lines, readings: Sequence[tuple[str, float]], say: Say) -> None:
    chosen = suspects(lines.texts, readings)
    rows = [(lines.files[i], lines.texts[i], readings[i][0], f"{readings[i][1]:.3f}") for i in chosen]
    write_csv(folder / "suspects.csv", [("file", "text", "got", "probability"), *rows])
    if not chosen:
        return
    captions = [f"{lines.texts[i]}: {readings[i][0]}?" for i in chosen]
    save_picture(folder / "suspects.png", sheet([lines.strips[i] for i in chosen], captions))
    say(f"{counted(len(chosen), 'label')} to look at again: {folder / 'suspects.png'}")
