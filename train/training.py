"""A training run: a folder that holds its configuration, its checkpoint, and at the end the model and its card.

config.json       what was asked for          checkpoint.keras  weights and optimizer after the last whole epoch
history.csv       one row an epoch            model.keras       the trained model, float32
*.png             curves, confusion, errors   card.json         name, labels, training, accuracy, temperature
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.bundle import Card, Training, check_card, write_card
from ..runtime.errors import TrainingError, counted
from ..runtime.files import replacing, write_bytes, write_json
from . import plots
from .architectures import LINE_ARCHITECTURES, Shape, build
from .backbones import BACKBONES, FETCHED, NO_WEIGHTS, build_backbone
from .backend import has_gpu, keras
from .batches import Batches, EpochBatches, EpochByEpoch, as_input, one_hot
from .calibration import expected_calibration_error, fit_refusal, fit_temperature, softmax
from .complexity import count_macs
from .config import TrainingConfig, parse_shape
from .datasets import (
    Dataset,
    in_classes,
    load_dataset,
    load_unlabelled,
    natural_geometry,
    part_training_set,
    with_added,
)
from .distillation import (
    DistillationBatches,
    Teacher,
    distillation_loss,
    label_accuracy,
    load_teachers,
    mean_logits,
    teach,
)
from .intervals import wilson_interval
from .keras_files import CONFIG_FILE, MODEL_FILE, card_beside, load_keras_model
from .losses import label_loss, right_answers
from .memory import keep_memory
from .mixture import mixed, mixed_batches
from .normalization import measure_statistics
from .scores import BATCH, keras_scores
from .versions import versions_of

Say = Callable[[str], None]
LEARNED = "learned_sha256"  # in it, beside what was asked for
CHECKPOINT_FILE = "checkpoint.keras"
EPOCHS = "epochs"  # in it: how many it has seen; its optimizer does not count steps whose gradients overflow float16
HISTORY_FILE = "history.csv"
HEAD_WEIGHTS = 2  # kernel and bias of the last layer
AVERAGED_SHARE = 20  # moving averages, of the weights and of normalization's statistics, span at most 1/20 of the run


class KerasBatches(EpochByEpoch, keras.utils.PyDataset):
    """Batches for Keras 3, prepared in a thread beside the training step."""

    def __init__(self, batches: EpochBatches, first_epoch: int = 0) -> None:
        keras.utils.PyDataset.__init__(self, workers=1, max_queue_size=8)
        EpochByEpoch.__init__(self, batches, first_epoch)


class Checkpoint(keras.callbacks.Callback):
    """After each epoch: the checkpoint and the history, each replaced whole.  Before each: dropout seeded anew, since
    a checkpoint does not hold the state of its generator."""

    def __init__(self, folder: Path, rows: list[dict[str, float]], seed: int) -> None:
        super().__init__()
        self._folder, self._rows, self._seed = folder, rows, seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for layer in self.model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.seed_generator.state.assign([self._seed, epoch])
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._start
        self._rows.append({"epoch": epoch + 1, **(logs or {}), "seconds": round(seconds, 2)})
        # the history first: killed in between, the checkpoint tells how many of its rows are real
        write_history(self._folder / HISTORY_FILE, self._rows)
        with replacing(self._folder / CHECKPOINT_FILE) as temporary:
            self.model.save(temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(EPOCHS, str(epoch + 1))


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """One CSV row an epoch: epoch, loss, accuracy, val_loss, val_accuracy, seconds."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows([{k: v if isinstance(v, int) else f"{v:.6g}" for k, v in row.items()} for row in rows])
    write_bytes(path, text.getvalue().encode())


def read_history(path: Path) -> list[dict[str, float]]:
    """The rows of `history.csv`.  Raises TrainingError where it is not there or damaged."""
    try:
        with path.open(newline="") as file:
            return [{k: int(v) if k == "epoch" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise TrainingError(f"{path}: cannot be read ({error}); start a new run") from None


def read_config(folder: Path) -> dict[str, Any]:
    """What a run was asked for, by the names of TrainingConfig, an option that it is older than by its default; and
    LEARNED.  Raises TrainingError where the file is damaged."""
    usual = {spec.name: spec.default for spec in fields(TrainingConfig)}
    try:
        found = json.loads((folder / CONFIG_FILE).read_text("utf-8"))
        return {**usual, **found, "data": str(found["data"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainingError(f"{folder / CONFIG_FILE}: cannot be read ({error}); start a new run") from None


def train(config: TrainingConfig, folder: Path, resume: bool = False, say: Say = print) -> Card:
    """Train, and leave the run in `folder`.

    resume: go on after the last whole epoch of an interrupted run, to the same result; its configuration must match.
    An architecture that reads lines is trained by line_training.py.
    Raises TrainingError where `folder` holds another run, DatasetError where the data cannot be used.
    """
    if config.arch in LINE_ARCHITECTURES:
        from .line_training import train_lines

        return train_lines(config, folder, resume, say)
    rows = check_folder(config, folder, resume)
    dataset = load_dataset(config.data, "train", parse_shape(config.shape), config.geometry)
    train_part, holdout = part_training_set(dataset, config.holdout, config.limit, config.seed)
    judged = judged_part(config.data, dataset, holdout, config.geometry)
    card = Card(
        name=folder.resolve().name,
        labels=dataset.classes,
        input_shape=dataset.input_shape,
        geometry=config.geometry or natural_geometry(dataset),
    )
    check_card(card, card.name)
    parts = f"{counted(len(train_part), 'image')} to train on, {len(holdout)} held out"
    say(f"{dataset.name}: {parts}, {len(dataset.classes)} classes")
    for told in dataset.unused:
        say(told)
    if config.add_data:
        before = len(train_part)
        train_part = with_added(train_part, config.add_data, config.add_times, config.geometry)
        say(f"{config.add_data}: {counted(len(train_part) - before, 'image')} added to those to train on")
    teachers = []
    if config.teacher:
        teachers = load_teachers(config.teacher, dataset.input_shape, dataset.classes, config.teacher_range)
    if config.unlabelled:
        train_part = _with_named(train_part, config.unlabelled, teachers, config.geometry, say)
    learned = train_part.sha256()
    began_with(folder, config, learned)

    keep_memory()
    model, policy = first_model(config, dataset.input_shape, len(dataset.classes), dataset.classes)
    batches = mixed_batches(train_part, asdict(config), config.seed)
    if len(batches.images) > len(train_part):
        say(f"{len(batches.images) - len(train_part):,} drawn digits and outliers added")
    write_config(folder, config, learned)  # only now: what could not start leaves nothing behind
    validation = as_input(holdout.images), one_hot(holdout.labels, len(dataset.classes))
    loss = label_loss(config.label_smoothing, is_open=bool(config.outliers))
    accuracy: Any = keras.metrics.MeanMetricWrapper(right_answers, name="accuracy")
    if teachers:
        views = min(config.distill_views, config.epochs)
        logits = teach(teachers, batches, views, folder / "teacher_logits.npy", say)
        batches = DistillationBatches(batches, logits)
        taught = mean_logits(teachers, validation[0])
        say(f"the teacher is right on {100 * (taught.argmax(1) == holdout.labels).mean():.2f} % of the hold-out")
        validation = validation[0], np.concatenate([taught, validation[1]], 1)
        loss = distillation_loss(config.distill_temperature, config.distill_share, loss)
        accuracy = keras.metrics.MeanMetricWrapper(label_accuracy, name="accuracy")
    _follow_statistics(model, config.epochs * len(batches))
    model.compile(make_optimizer(config, len(batches)), loss, metrics=[accuracy])
    if rows:
        del rows[restore(model, folder / CHECKPOINT_FILE, len(batches)) :]
        say(f"resuming after epoch {len(rows)} of {config.epochs}")
    size = f"{model.count_params():,} parameters, {count_macs(model):,} MACs"
    say(f"{config.arch}: {size}, {policy}, {keras.backend.backend()}")
    if len(rows) < config.epochs:
        model.fit(
            KerasBatches(batches, len(rows)),
            validation_data=validation,
            validation_batch_size=BATCH,
            initial_epoch=len(rows),
            epochs=config.epochs,
            shuffle=False,  # Batches shuffles, by seed
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[Checkpoint(folder, rows, config.seed)],
        )
    else:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    return _finish(config, folder, model, batches, dataset, holdout, judged, card, rows, say)


def choose_precision(wanted: str) -> str:
    """The Keras dtype policy: what was asked for, or for 'auto' mixed precision on a GPU and float32 on a CPU.

    On a CPU with AVX512-BF16, mixed_bfloat16 trained `full` 1.25 times as fast and a network of 23,000 parameters 0.84
    times: it is left to be asked for.  XLA is Keras's own choice: on where there is a GPU.
    """
    if wanted != "auto":
        return wanted
    return "mixed_bfloat16" if has_gpu() else "float32"


# --- the parts of a run ----------------------------------------------------------------------------------------------


def check_folder(config: TrainingConfig, folder: Path, resume: bool) -> list[dict[str, float]]:
    """Check the run's folder, before anything is written; the history of the epochs that are done."""
    stored = folder / CONFIG_FILE
    if not stored.exists():
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise TrainingError(f"{folder}: exists and is no training run; wanted a new or an empty folder")
        return []
    if not resume:
        raise TrainingError(f"{folder}: holds a training run already; --resume goes on with it")
    before = read_config(folder)
    differing = [key for key, value in asdict(config).items() if before[key] != value]
    if differing:
        key = differing[0]
        raise TrainingError(f"{folder}: was begun with {key} {before[key]!r}, not {getattr(config, key)!r}")
    if not (folder / CHECKPOINT_FILE).exists():
        return []
    return read_history(folder / HISTORY_FILE)


def write_config(folder: Path, config: TrainingConfig, learned: str) -> None:
    """What was asked for, and the sha256 of what is learned from."""
    write_json(folder / CONFIG_FILE, {**asdict(config), LEARNED: learned})


def began_with(folder: Path, config: TrainingConfig, learned: str) -> None:
    """Raises TrainingError where the run in `folder` was begun with other images or texts than are there now: what it
    was trained on would be among those held out."""
    if (folder / CONFIG_FILE).exists() and read_config(folder).get(LEARNED, learned) != learned:
        raise TrainingError(f"{folder}: was begun with other data than {config.data} holds now; wanted a new folder")


def judged_part(data: str, dataset: Dataset, holdout: Dataset, geometry: str) -> Dataset:
    """What a run is judged by: the test part, of a data set without one the hold-out, in the training set's classes.

    Raises DatasetError where the test part is missing or has a class that the training set has not.
    """
    if dataset.split == "all":
        return holdout
    test = load_dataset(data, "test", dataset.input_shape, geometry)
    return in_classes(test, dataset.classes)


def first_model(
    config: TrainingConfig, input_shape: Shape, classes: int, labels: Sequence[str] = ()
) -> tuple[keras.Model, str]:
    """The model that training begins with, seeded or from the weights of other runs, and its precision's policy.

    labels: of the classes; what starts from a run of others gets a head of its own.
    """
    if config.weights and config.arch not in BACKBONES:
        raise TrainingError(f"weights {config.weights!r}: of a --backbone; --from starts {config.arch} from a run")
    policy = choose_precision(config.precision)
    keras.utils.set_random_seed(config.seed)
    previous_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build_model(config, input_shape, classes, config.weights or FETCHED)
    finally:
        keras.config.set_dtype_policy(previous_policy)
    if config.start:
        _start_from(model, config.start, tuple(labels))
    return model, policy


def build_model(config: TrainingConfig, input_shape: Shape, classes: int, weights: str = NO_WEIGHTS) -> keras.Model:
    """The network of a configuration; weights: of a backbone."""
    if config.arch not in BACKBONES:
        return build(config.arch, input_shape, classes, config.width)
    if config.width != 1:
        raise TrainingError(f"width {config.width}: a backbone has the channels that it was trained with; wanted 1")
    return build_backbone(config.arch, input_shape, classes, weights)


def _start_from(model: keras.Model, start: str, labels: tuple[str, ...]) -> None:
    """Set a model's weights to those of a run, or to the mean of several runs' (Wortsman et al. 2022).

    Of one run with other classes, all but the head are taken: other by their number, or by the card beside it.
    """
    found = []
    names = start.split(",")
    for name in names:
        path, source = load_keras_model(name.strip())
        shapes, wanted = ([weight.shape for weight in one.get_weights()] for one in (source, model))
        card = card_beside(path) if labels else None
        is_other = shapes != wanted or (card is not None and card.labels != labels)
        if len(names) == 1 and is_other and shapes[:-HEAD_WEIGHTS] == wanted[:-HEAD_WEIGHTS]:
            model.set_weights([*source.get_weights()[:-HEAD_WEIGHTS], *model.get_weights()[-HEAD_WEIGHTS:]])
            return
        if shapes != wanted:
            raise TrainingError(f"{path}: other layers than {model.name}'s; wanted weights of the same architecture")
        found.append(source.get_weights())
    model.set_weights([np.mean(weights, axis=0) for weights in zip(*found, strict=True)])


def _with_named(part: Dataset, unlabelled: str, teachers: Sequence[Teacher], geometry: str, say: Say) -> Dataset:
    """A training part with images that the teachers name."""
    if not teachers:
        raise TrainingError(f"unlabelled {unlabelled!r}: wanted a teacher to name its images")
    images = load_unlabelled(unlabelled, part.input_shape, geometry)
    named = mean_logits(teachers, as_input(images)).argmax(1)
    counts = np.bincount(named, minlength=len(part.classes)).tolist()
    told = ", ".join(f"{n} × {label}" for n, label in zip(counts, part.classes, strict=True) if n)
    say(f"{unlabelled}: {counted(len(images), 'image')}, which the teacher names {told}")
    return replace(
        part, images=np.concatenate([part.images, images]), labels=np.concatenate([part.labels, named.astype(np.int64)])
    )


def _follow_statistics(model: keras.Model, steps: int) -> None:
    """Let normalization's moving averages follow a short run, so that its curves are of what it learned.  They teach
    nothing, and are measured at the end."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, max(0.0, 1 - AVERAGED_SHARE / steps))


def make_optimizer(config: TrainingConfig, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """AdamW on a cosine schedule with warm-up, its weights averaged."""
    warmup = round(config.warmup_epochs * steps_per_epoch) if config.epochs > 1 else 0
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=config.learning_rate / 20 if warmup else config.learning_rate,
        decay_steps=max(1, config.epochs * steps_per_epoch - warmup),
        alpha=0.002,
        warmup_target=config.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    momentum = min(config.ema, 1 - AVERAGED_SHARE / (config.epochs * steps_per_epoch))  # a short run averages less
    averaging: dict[str, Any] = {"use_ema": True, "ema_momentum": momentum} if momentum > 0 else {}
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay, **averaging)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def restore(model: keras.Model, checkpoint: Path, steps_per_epoch: int) -> int:
    """Weights and optimizer state of a checkpoint, into a model compiled as the one that it was made of; the number of
    epochs that it has seen."""
    model.optimizer.build(model.trainable_variables)
    try:
        model.load_weights(checkpoint)  # of a whole .keras file: the optimizer's variables too
        with zipfile.ZipFile(checkpoint) as archive:
            if EPOCHS in archive.namelist():
                return int(archive.read(EPOCHS))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingError(f"{checkpoint}: cannot be read ({str(error).splitlines()[0]}); start a new run") from None
    return int(model.optimizer.iterations) // steps_per_epoch  # of a run that is older than EPOCHS


def _finish(
    config: TrainingConfig,
    folder: Path,
    trained: keras.Model,
    batches: Batches,
    dataset: Dataset,
    holdout: Dataset,
    judged: Dataset,
    card: Card,
    rows: list[dict[str, float]],
    say: Say,
) -> Card:
    model = build_model(config, dataset.input_shape, len(dataset.classes))  # in float32
    model.set_weights(trained.get_weights())
    measure_statistics(model, batches, config.epochs)
    holdout_logits = keras_scores(model, holdout.images)
    temperature = fit_temperature(holdout_logits, holdout.labels)
    refusal = None
    if config.outliers:
        drawn, others = mixed(holdout, config.drawn, 1.0, config.seed + 1)
        refusal = fit_refusal(keras_scores(model, drawn.images), keras_scores(model, others), temperature)
        shares = f"{refusal.characters_refused:.1%} of characters and {refusal.others_refused:.1%} of the others"
        say(f"refuses {shares} below a confidence of {refusal.min_confidence}")
    logits = holdout_logits if judged is holdout else keras_scores(model, judged.images)
    errors = int((logits.argmax(1) != judged.labels).sum())
    ece, before = (expected_calibration_error(softmax(logits, t), judged.labels) for t in (temperature, 1.0))
    with replacing(folder / MODEL_FILE) as temporary:
        model.save(temporary)
    plots.write_run(folder, rows, judged, logits, temperature)
    training = training_record(
        config,
        rows,
        dataset=dataset.name,
        dataset_sha256=dataset.sha256(),
        images=len(batches.images),
        holdout_images=len(holdout),
        test_set=f"{judged.name} {'hold-out' if judged is holdout else 'test'}",
        test_images=len(judged),
        errors=errors,
        ece=round(ece, 5),
    )
    card = replace(
        card,
        temperature=round(temperature, 4),
        refusal=refusal,
        parameters=model.count_params(),
        macs=count_macs(model),
        training=training,
    )
    write_card(folder, card)
    low, high = wilson_interval(errors, len(judged))
    sure = f"{100 * (1 - errors / len(judged)):.2f} % right (95 %: {100 * (1 - high):.2f} to {100 * (1 - low):.2f})"
    say(f"{training.test_set}: {counted(errors, 'error')} of {len(judged)}, {sure}")
    say(f"ECE {100 * ece:.2f} % with temperature {temperature:.3f}, {100 * before:.2f} % without")
    return card


def training_record(config: TrainingConfig, rows: list[dict[str, float]], **measured: Any) -> Training:
    """What a card tells of a run.  measured: the fields of Training that its configuration and history do not tell."""
    settings = {key: value for key, value in asdict(config).items() if key not in ("arch", "data", "seed", "epochs")}
    for key in ("start", "teacher", "add_data", "unlabelled", "weights"):  # by name: a path means nothing elsewhere
        settings[key] = ",".join(Path(name.strip()).name for name in settings[key].split(","))
    return Training(
        arch=config.arch,
        seed=config.seed,
        epochs=config.epochs,
        seconds=round(sum(row["seconds"] for row in rows)),
        settings=settings,
        versions=versions_of(("keras", "numpy", "cv2", keras.backend.backend())),
        **measured,
    )
