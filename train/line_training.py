"""Training of a line reader: strips and texts by CTC.  It leaves a run as training.py does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.bundle import Card, write_card
from ..runtime.ctc import greedy, log_likelihood, log_softmax
from ..runtime.errors import TrainingError, counted
from ..runtime.files import replacing
from ..runtime.geometry import LINE_GEOMETRY, STRIP_HEIGHT, STRIP_SHAPE
from ..runtime.strip import padded, padded_width
from . import plots
from .architectures import build
from .backend import keras
from .calibration import calibration_error
from .complexity import count_macs
from .config import TrainingConfig
from .datasets import resolve
from .keras_files import MODEL_FILE, card_beside, load_keras_model
from .line_batches import FRAME, LINE_AUGMENTATIONS, LineBatches, encode, without_too_long
from .lines import Lines, load_lines, with_classes
from .memory import keep_memory
from .normalization import measure_statistics
from .training import (
    CHECKPOINT_FILE,
    Checkpoint,
    KerasBatches,
    Say,
    began_with,
    check_folder,
    first_model,
    make_optimizer,
    restore,
    training_record,
    write_config,
)

ops = keras.ops

JUDGED = 2000  # held-out lines that every epoch is judged by
EVALUATION_BATCH = 64  # lines
FITTED = 1000  # held-out lines that the temperature is fitted by
TYPICAL_COLUMNS = 128  # of a strip, for the count of MACs
TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(4), 43))


class _Judge(keras.callbacks.Callback):
    """After each epoch: the share of held-out lines read right, letter by letter."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        right = texts_right(line_logits(self.model, self._lines), self._lines)
        (logs if logs is not None else {}).update(val_accuracy=right / len(self._lines))


def ctc_loss(texts: Any, logits: Any) -> Any:
    """(B,) nats: negative log-likelihood of (B, L) labels under (B, 1, T, classes) or (B, T, classes) logits."""
    if len(logits.shape) == 4:
        logits = ops.squeeze(logits, 1)
    return keras.losses.ctc(ops.cast(texts, "int32"), logits)


def train_lines(config: TrainingConfig, folder: Path, resume: bool = False, say: Say = print) -> Card:
    """Train a line reader on a file of lines or a folder with `labels.csv`, and leave the run in `folder`.

    Raises TrainingError where `folder` holds another run or an option has no meaning for lines, DatasetError where the
    data cannot be used.
    """
    path, _ = resolve(config.data)
    if path.is_file() and config.holdout != TrainingConfig.holdout:
        raise TrainingError(f"holdout {config.holdout:g}: a file of lines says itself which are held out")
    lines, holdout = load_lines(path, config.holdout, config.seed, say)
    return fit_lines(config, lines, holdout, folder, resume, say)


def fit_lines(
    config: TrainingConfig, lines: Lines, holdout: Lines, folder: Path, resume: bool = False, say: Say = print
) -> Card:
    """As `train_lines`, on these lines.  From another reader it takes that one's characters.

    Raises DatasetError where a text has one more.
    """
    rows = check_folder(config, folder, resume)
    for option in ("drawn", "outliers", "teacher", "unlabelled", "shape", "geometry", "label_smoothing", "add_data"):
        if getattr(config, option):
            raise TrainingError(f"{option} {getattr(config, option)!r}: has no meaning for lines")
    if config.augment not in LINE_AUGMENTATIONS:
        raise TrainingError(f"augment {config.augment!r}: lines have {', '.join(LINE_AUGMENTATIONS)}")
    augmentation = LINE_AUGMENTATIONS[config.augment]
    learned = lines.sha256()
    began_with(folder, config, learned)
    before = _reader_of(config.start) if config.start else None
    if before:
        lines, holdout = with_classes(lines, before.labels), with_classes(holdout, before.labels)
    lines = lines.subset(np.arange(config.limit or len(lines))[: len(lines)])
    lines, too_long = without_too_long(lines, augmentation.stretch + augmentation.scale)
    holdout, _ = without_too_long(holdout, 0.0)
    parts = f"{counted(len(lines), 'line')} to train on, {len(holdout)} held out"
    say(f"{lines.name}: {parts}, {counted(len(lines.classes), 'character')}")
    if too_long:
        say(f"{counted(len(too_long), 'line')} left out, too narrow for their text: {', '.join(too_long[:5])}")

    keep_memory()
    model, policy = first_model(config, STRIP_SHAPE, 1 + len(lines.classes))
    batches = LineBatches(lines, config.batch_size, augmentation, config.seed)
    write_config(folder, config, learned)
    model.compile(make_optimizer(config, len(batches)), ctc_loss)
    if rows:
        del rows[restore(model, folder / CHECKPOINT_FILE, len(batches)) :]
        say(f"resuming after epoch {len(rows)} of {config.epochs}")
    say(f"{config.arch}: {model.count_params():,} parameters, {policy}, {keras.backend.backend()}")
    if len(rows) < config.epochs:
        model.fit(
            KerasBatches(batches, len(rows)),
            initial_epoch=len(rows),
            epochs=config.epochs,
            shuffle=False,
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[_Judge(holdout.subset(np.arange(len(holdout))[:JUDGED])), Checkpoint(folder, rows, config.seed)],
        )
    else:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    finished = build(config.arch, STRIP_SHAPE, 1 + len(lines.classes), config.width)  # in float32
    finished.set_weights(model.get_weights())
    measure_statistics(finished, batches, config.epochs)
    logits = line_logits(finished, holdout)
    right, temperature = texts_right(logits, holdout), fit_line_temperature(logits, holdout)
    with replacing(folder / MODEL_FILE) as temporary:
        finished.save(temporary)
    plots.line_curves(folder / "curves.png", rows)
    training = training_record(
        config,
        rows,
        dataset=lines.name,
        dataset_sha256=lines.sha256(),
        images=len(lines),
        holdout_images=len(holdout),
        test_set=f"{lines.name} hold-out",
        test_images=len(holdout),
        errors=len(holdout) - right,
        ece=round(text_calibration_error(logits, holdout, temperature), 5),
    )
    card = Card(
        name=folder.resolve().name,
        labels=lines.classes,
        input_shape=STRIP_SHAPE,
        geometry=LINE_GEOMETRY,
        partner=before.partner if before else None,
        temperature=round(temperature, 4),
        parameters=finished.count_params(),
        macs=count_macs(build(config.arch, (STRIP_HEIGHT, TYPICAL_COLUMNS, 1), 1 + len(lines.classes), config.width)),
        training=training,
    )
    write_card(folder, card)
    say(f"{training.test_set}: {right} of {len(holdout)} lines right, temperature {temperature:.3f}")
    return card


def _reader_of(start: str) -> Card:
    """The card of the reader that training starts from: its characters' numbers keep their meaning."""
    path, _ = load_keras_model(start.split(",")[0].strip())
    card = card_beside(path)
    if card is None or not card.reads_lines:
        raise TrainingError(f"{start}: no card that tells a line reader's characters; wanted its run or bundle")
    return card


def line_logits(model: keras.Model, lines: Lines) -> list[np.ndarray]:
    """(T, classes) float32 logits of each line, T frames of its own strip."""
    steps = np.array([padded_width(strip.shape[1]) for strip in lines.strips])
    found: list[np.ndarray] = [np.empty(0)] * len(lines)
    for width in np.unique(steps):  # a strip beside a wider one would see more paper than on the device
        members = np.flatnonzero(steps == width)
        for start in range(0, len(members), EVALUATION_BATCH):
            chosen = members[start : start + EVALUATION_BATCH]
            images = padded([lines.strips[i] for i in chosen]).astype(np.float32)
            logits = keras.ops.convert_to_numpy(model(images, training=False))
            logits = logits.reshape(len(chosen), -1, logits.shape[-1])
            for i, one in zip(chosen.tolist(), logits, strict=True):
                found[i] = one[: -(-lines.strips[i].shape[1] // FRAME)]
    return found


def read_texts(logits: list[np.ndarray], lines: Lines) -> list[str]:
    """What is read of each line, letter by letter."""
    return ["".join(lines.classes[c - 1] for c in greedy(one)) for one in logits]


def texts_right(logits: list[np.ndarray], lines: Lines) -> int:
    """How many lines are read right."""
    return sum(got == text for got, text in zip(read_texts(logits, lines), lines.texts, strict=True))


def text_calibration_error(logits: list[np.ndarray], lines: Lines, temperature: float) -> float:
    """Expected calibration error of the probabilities of the texts that are read, in [0, 1]."""
    confidence = np.exp([log_likelihood(log_softmax(one, temperature), greedy(one)) for one in logits])
    return calibration_error(confidence, np.array(read_texts(logits, lines)) == np.array(lines.texts))


def fit_line_temperature(logits: list[np.ndarray], lines: Lines) -> float:
    """The temperature of least negative log-likelihood of held-out texts, on a grid.  Where all are right it is 1: the
    likelihood would only rise towards 0."""
    if texts_right(logits, lines) == len(lines):
        return 1.0
    texts = [[c for c in row.tolist() if c] for row in encode(lines)[:FITTED]]
    losses = [
        sum(-log_likelihood(log_softmax(one, t), text) for one, text in zip(logits[:FITTED], texts, strict=True))
        for t in TEMPERATURES
    ]
    return float(TEMPERATURES[int(np.argmin(losses))])
