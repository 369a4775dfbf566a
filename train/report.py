"""`glyphlite train report`: everything that a training run tells, as one HTML file that needs nothing beside it."""

from __future__ import annotations

import base64
import tempfile
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.bundle import Card, read_bundle
from ..runtime.errors import DatasetError, TrainingError
from ..runtime.files import write_bytes
from . import plots
from .augment import augmentation_of
from .calibration import calibration_error, expected_calibration_error, softmax
from .config import parse_shape
from .datasets import Dataset, load_dataset, part_training_set
from .intervals import wilson_interval
from .keras_files import CONFIG_FILE, is_unfinished, load_keras_model
from .mixture import mixed
from .scores import keras_scores
from .training import HISTORY_FILE, judged_part, read_config, read_history

ONLY_WITH = {"teacher": "distill_", "add_data": "add_times"}  # settings that mean nothing without another
MIXED_FROM = 200  # training images, to show some of them with what training adds
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fdfdfc; --line: #d8dbe0; --soft: #5b6676; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e7ec; --paper: #14181e; --line: #343b46; --soft: #9aa4b2; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; } p { color: var(--soft); }
img { max-width: 100%; height: auto; background: white; border-radius: .3rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .8rem .2rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
"""


def write_report(run: Path, out: Path) -> None:
    """The report of a finished run, its model answering its test set again.

    Raises CardError or ConversionError where `run` is none, TrainingError where it reads lines or is not finished,
    DatasetError where its data are gone or are others.
    """
    if is_unfinished(run):
        raise TrainingError(f"{run}: is not finished; `glyphlite train --resume` goes on with it")
    card = read_bundle(run).card
    if card.reads_lines:
        raise TrainingError(
            f"{run}: reads lines; wanted a run of a classifier (docs/lines.md tells how to judge lines)"
        )
    if not (run / CONFIG_FILE).is_file() or not (run / HISTORY_FILE).is_file():
        raise TrainingError(f"{run}: no {CONFIG_FILE} or {HISTORY_FILE}; wanted the folder of a training run")
    config = read_config(run)
    train = load_dataset(config["data"], "train", parse_shape(config["shape"]), card.geometry)
    if card.training and train.sha256() != card.training.dataset_sha256:
        raise DatasetError(f"{config['data']}: holds other data than {run} was trained on")
    learned, holdout = part_training_set(train, config["holdout"], config["limit"], config["seed"])
    judged = judged_part(config["data"], train, holdout, card.geometry)
    logits = keras_scores(load_keras_model(str(run))[1], judged.images)
    with tempfile.TemporaryDirectory(prefix="glyphlite-") as name:
        pictures = _draw(Path(name), run, card, config, learned, judged, logits)
    write_bytes(out, _html(card, config, judged, logits, pictures).encode())


def reliability(logits: np.ndarray, labels: np.ndarray, temperature: float) -> dict[str, tuple[np.ndarray, float]]:
    """Confidences (N,) and expected calibration error, [0, 1]: as trained, with the temperature (Guo et al. 2017), and
    with softmax taken twice, of probabilities instead of logits, which makes every answer unsure."""
    found = {}
    for title, probabilities in (
        ("as trained", softmax(logits)),
        (f"temperature {temperature:.2f}", softmax(logits, temperature)),
        ("softmax of probabilities, a mistake", softmax(softmax(logits))),
    ):
        found[title] = probabilities.max(1), expected_calibration_error(probabilities, labels)
    return found


def _draw(
    folder: Path,
    run: Path,
    card: Card,
    config: dict[str, Any],
    learned: Dataset,
    judged: Dataset,
    logits: np.ndarray,
) -> list[tuple[str, str, bytes]]:
    """Title, words and PNG of each picture."""
    rng = np.random.default_rng(0)
    probabilities = softmax(logits, card.temperature)
    chosen = np.sort(rng.permutation(len(judged))[: plots.SAMPLES_SHOWN])
    few = learned.subset(np.sort(rng.permutation(len(learned))[:MIXED_FROM]))
    grown, others = mixed(few, config.get("drawn", 0.0), config.get("outliers", 0.0), config["seed"])
    seen = rng.permutation(np.concatenate([grown.images, others]))[: plots.SAMPLES_SHOWN]
    mixes = len(grown) + len(others) > len(few)
    calibrated = reliability(logits, judged.labels, card.temperature)
    drawn = [
        ("Data", f"Training part of {learned.name}, by class.", lambda p: plots.class_distribution(p, learned)),
        ("Learning curves", "", lambda p: plots.learning_curves(p, read_history(run / HISTORY_FILE))),
        (
            "What the network saw",
            f"Training images{' and what is mixed with them' if mixes else ''}, distorted anew each epoch "
            f"({config['augment']}).",
            lambda p: plots.images(p, augmentation_of(config["augment"], card.geometry)(seen, rng)),
        ),
        ("Answers", f"{judged.name}, drawn at random.", lambda p: plots.answers(p, judged, chosen, probabilities)),
        (
            "Worst errors",
            "Those that the network was surest of, first.",
            lambda p: plots.most_wrong(p, judged, logits, card.temperature),
        ),
        ("Confusion", "", lambda p: plots.confusion_matrix(p, judged, logits.argmax(1))),
        (
            "Can its probabilities be believed?",
            "On the diagonal an answer is right as often as its confidence says. The temperature was fitted on the "
            "hold-out. A softmax over probabilities, instead of logits, makes a sure network look unsure.",
            lambda p: plots.reliability(p, calibrated, logits.argmax(1) == judged.labels),
        ),
    ]
    found = []
    for number, (title, text, draw) in enumerate(drawn):
        path = folder / f"{number}.png"
        draw(path)
        found.append((title, text, path.read_bytes()))
    return found


def _html(
    card: Card,
    config: dict[str, Any],
    judged: Dataset,
    logits: np.ndarray,
    pictures: list[tuple[str, str, bytes]],
) -> str:
    errors = int((logits.argmax(1) != judged.labels).sum())
    right, (low, high) = 1 - errors / len(judged), wilson_interval(len(judged) - errors, len(judged))
    ece = calibration_error(softmax(logits, card.temperature).max(1), logits.argmax(1) == judged.labels)
    facts: dict[str, Any] = {
        "errors": f"{errors} of {len(judged):,} ({judged.name})",
        "accuracy": f"{100 * right:.2f} % (95 %: {100 * low:.2f} to {100 * high:.2f})",
        "expected calibration error": f"{100 * ece:.2f} %",
        "parameters": f"{card.parameters:,}",
        "multiplications": f"{card.macs:,}",
        "classes": ", ".join(card.labels),
    }
    if refusal := card.refusal:
        shares = f"{refusal.characters_refused:.1%} of characters and {refusal.others_refused:.1%} of the others"
        facts["refuses"] = f"{shares} below a confidence of {refusal.min_confidence}"
    idle = {name for name in config for of, names in ONLY_WITH.items() if name.startswith(names) and not config[of]}
    facts |= {
        key.replace("_", " "): value for key, value in config.items() if value not in ("", None) and key not in idle
    }
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in facts.items())
    sections = "".join(
        f"<h2>{escape(title)}</h2>{f'<p>{escape(text)}</p>' if text else ''}"
        f'<img alt="{escape(title)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
        for title, text, png in pictures
    )
    heading = f"{card.name}: {config['arch']} on {judged.name}"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(heading)}</title><style>{STYLE}</style><h1>{escape(heading)}</h1>"
        f"<table>{rows}</table>{sections}</html>\n"
    )
