"""k-fold evaluation of a line reader on a folder of labelled lines: every line is judged by a network that did not
learn from it, and labels that all networks contradict are listed for a person to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..runtime.bundle import read_bundle
from ..runtime.ctc import fold as folded
from ..runtime.ctc import greedy, log_likelihood, log_softmax
from ..runtime.errors import TrainingError
from ..runtime.files import write_bytes, write_csv, write_json
from ..runtime.labels import LABELS_FILE
from .backend import keras
from .config import TrainingConfig
from .datasets import resolve
from .keras_files import MODEL_FILE
from .line_training import fit_lines, line_logits
from .lines import Lines, read_lines_folder, sheet
from .training import Say

SURE = 0.5  # probability of each network's own reading at which it contradicts a label


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
    every network reads something else than a label says, `suspects.csv` and `suspects.png`.
    Raises TrainingError where the data is no folder of lines or has fewer lines than folds.
    """
    path, _ = resolve(config.data)
    if not (path / LABELS_FILE).is_file():
        raise TrainingError(f"{config.data}: folds want a folder with a {LABELS_FILE}")
    lines = read_lines_folder(path, say)
    if count > len(lines):
        raise TrainingError(f"{len(lines)} lines for {count} folds; wanted at least a line each")
    parts = np.array_split(np.random.default_rng(config.seed).permutation(len(lines)), count)
    folds, got = [], [""] * len(lines)
    readings: list[list[tuple[str, float]]] = [[] for _ in range(len(lines))]
    for number, part in enumerate(parts, 1):
        out = folder / f"fold-{number}"
        if not (out / MODEL_FILE).exists():
            others = np.sort(np.concatenate([other for other in parts if other is not part]))
            fit_lines(config, lines.subset(others), lines.subset(np.sort(part)), out, resume or out.exists(), say)
        read = _read_all(out, lines)
        for line, reading in enumerate(read):
            readings[line].append(reading)
        right = sum(read[i][0] == lines.texts[i] for i in part)
        for i in part:
            got[i] = read[i][0]
        folds.append(Fold(right, len(part)))
        say(f"fold {number}: {right} of {len(part)} lines right ({100 * folds[-1].accuracy:.1f} %)")
    accuracies = np.array([fold.accuracy for fold in folds])
    spread = float(accuracies.std(ddof=1)) if count > 1 else 0.0
    say(f"{count} folds: {100 * accuracies.mean():.1f} % of lines right, standard deviation {100 * spread:.1f}")
    result = {"accuracies": accuracies.tolist(), "mean": float(accuracies.mean()), "standard_deviation": spread}
    write_json(folder / "folds.json", result)
    fold_of = {int(i): number for number, part in enumerate(parts, 1) for i in part}
    rows = [(lines.files[i], lines.texts[i], got[i], fold_of[i]) for i in range(len(lines))]
    write_csv(folder / "lines.csv", [("file", "text", "got", "fold"), *rows])
    _write_suspects(folder, lines, readings, say)
    return folds


def suspects(texts: tuple[str, ...], readings: list[list[tuple[str, float]]]) -> list[int]:
    """Lines whose label every network contradicts with SURE, the surest first.  readings: of each line, the text and
    the probability of each network."""
    found = [
        i
        for i, (text, read) in enumerate(zip(texts, readings, strict=True))
        if all(got != text and sure >= SURE for got, sure in read)
    ]
    return sorted(found, key=lambda i: -min(sure for _, sure in readings[i]))


def _read_all(run: Path, lines: Lines) -> list[tuple[str, float]]:
    """What a run's network reads of each line, and how sure it is; characters that no label has are left out."""
    card = read_bundle(run).card
    model = keras.models.load_model(run / MODEL_FILE, compile=False)
    silent = [number for number, label in enumerate(card.labels, 1) if label not in lines.classes]
    found = []
    for logits in line_logits(model, replace(lines, classes=card.labels)):
        scores = folded(log_softmax(logits, card.temperature), silent)
        text = greedy(scores)
        found.append(("".join(card.labels[c - 1] for c in text), float(np.exp(log_likelihood(scores, text)))))
    return found


def _write_suspects(folder: Path, lines: Lines, readings: list[list[tuple[str, float]]], say: Say) -> None:
    chosen = suspects(lines.texts, readings)
    rows = [
        (lines.files[i], lines.texts[i], readings[i][0][0], f"{min(sure for _, sure in readings[i]):.3f}")
        for i in chosen
    ]
    write_csv(folder / "suspects.csv", [("file", "text", "got", "probability"), *rows])
    if not chosen:
        return
    captions = [f"{lines.texts[i]}: {readings[i][0][0]}?" for i in chosen]
    _, data = cv2.imencode(".png", sheet([lines.strips[i] for i in chosen], captions))
    write_bytes(folder / "suspects.png", data.tobytes())
    say(f"{len(chosen)} labels that every network contradicts: {folder / 'suspects.png'}")
