"""From a trained model to a bundle: each recipe's artifact is made, compared with its float model and judged."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..runtime.bundle import CARD_FILE, Artifact, Card, read_bundle, write_card
from ..runtime.engine import open_engine
from ..runtime.errors import ConversionError, DatasetError, RecipeError
from ..runtime.files import replacing, sha256_file
from ..train.backend import keras
from ..train.batches import as_input
from ..train.calibration import expected_calibration_error, fit_temperature, softmax
from ..train.complexity import count_macs
from ..train.datasets import Dataset, load_dataset, natural_geometry, part_training_set, stratified_split
from ..train.keras_files import MODEL_FILE, load_keras_model
from ..train.mixture import mixed_batches
from ..train.training import CONFIG_FILE
from .checks import CHECKED_IMAGES, compare, zero_share
from .convert import convert
from .recipes import Recipe

RUN_FILES = (MODEL_FILE, "history.csv", "curves.png", "confusion.png")  # of a run, kept in its bundle
CALIBRATION_IMAGES = 500
DEFAULT_ORDER = ("static_wi8_ai8.tflite", "float32.tflite", "float32.onnx")  # which artifact a bundle runs unasked
HOLDOUT = 1 / 12  # where no run's card says otherwise

Say = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """A trained model and what is known of it.  folder: of its run or bundle; None for a bare `.keras` file."""

    path: Path
    model: keras.Model
    card: Card | None
    folder: Path | None


@dataclass(frozen=True)
class Examples:
    """The images that compression needs, each part for one purpose only.

    train: to fine-tune and to calibrate.  holdout: to compare answers and to fit a temperature.  judged: to count
    errors; of a data set without a test part, the hold-out.
    """

    train: Dataset
    holdout: Dataset
    judged: Dataset

    @property
    def test_set(self) -> str:
        """What the judged images are called in a card."""
        return f"{self.judged.name} {'hold-out' if self.judged is self.holdout else 'test'}"


def load_source(model: str) -> Source:
    """A training run, a bundle that kept its `model.keras`, or a `.keras` file.  Raises as `load_keras_model`."""
    path, loaded = load_keras_model(model)
    folder = path.parent if (path.parent / CARD_FILE).exists() and path.name == MODEL_FILE else None
    return Source(path, loaded, read_bundle(folder).card if folder else None, folder)


def load_examples(source: Source, data: str | None) -> Examples:
    """The data set that a model was trained on (`data` None: as its card says), parted as its training parted it."""
    training = source.card.training if source.card else None
    name = data or _recorded_data(source)
    shape = tuple(source.model.inputs[0].shape[1:])
    dataset = load_dataset(name, "train", shape)
    if data is None and training and dataset.sha256() != training.dataset_sha256:
        raise DatasetError(f"{name}: not the data that {source.path} was trained on, by its sha256; name it (--data)")
    settings = training.settings if training else {}
    share, limit = float(settings.get("holdout", HOLDOUT)), int(settings.get("limit", 0))
    train, holdout = part_training_set(dataset, share, limit, training.seed if training else 0)
    judged = holdout if dataset.split == "all" else load_dataset(name, "test", shape)
    classes = source.model.outputs[0].shape[-1]
    if len(dataset.classes) != classes:
        raise DatasetError(f"{name}: {len(dataset.classes)} classes; {source.path} has {classes}")
    return Examples(train, holdout, judged)


def compress(
    source: Source,
    recipes: Sequence[Recipe],
    formats: Sequence[str],
    examples: Examples,
    out: Path,
    *,
    value_range: tuple[float, float] = (0.0, 255.0),
    epochs: int = 8,
    default: str | None = None,
    say: Say = print,
) -> Card:
    """Make the artifacts of each recipe and write them, with the card, into the bundle `out`.

    A bundle of the same model that is there already keeps its other artifacts.
    value_range: what 0 and 255 become at the model's input, where no card says it.  epochs: of fine-tuning, for the
    recipes that change weights.  default: the artifact to run where none is named.
    Raises ConversionError where a lossless conversion disagrees with its model; nothing is written then.
    """
    card = _base_card(source, examples, value_range, out)
    card = replace(card, artifacts=_kept_artifacts(card, out))
    checked = examples.holdout.subset(slice(CHECKED_IMAGES))
    if len(checked) < CHECKED_IMAGES:  # a small data set: training images tell agreement as well
        more = examples.train.subset(slice(CHECKED_IMAGES - len(checked)))
        checked = replace(checked, images=np.concatenate([checked.images, more.images]))
    calibration = _scaled(_evenly(examples.train, CALIBRATION_IMAGES).images, card)
    with tempfile.TemporaryDirectory(prefix="glyphlite-") as name:
        work = Path(name)
        made = {}
        for recipe in recipes:
            wanted = [form for form in formats if form in recipe.scheme.formats]
            for form in sorted(set(formats) - set(wanted)):
                say(f"{recipe.name}: has no {form} form, left out")
            if not wanted:
                continue
            with _float_model(source, recipe, examples, card, epochs, work, say) as (path, model):
                reference = model.predict(_scaled(checked.images, card), batch_size=CALIBRATION_IMAGES, verbose=0)
                for form in wanted:
                    file = f"{recipe.name}.{form}"
                    convert(
                        path, recipe.scheme.name, form, work / file, calibration if recipe.scheme.calibrated else None
                    )
                    made[file] = _measure(recipe, work / file, form, card, checked, reference, examples)
                    say(_line(made[file]))
        if not made:
            raise RecipeError(f"nothing to make: no recipe here has a form in {', '.join(formats)}")
        artifacts = {**{artifact.file: artifact for artifact in card.artifacts}, **made}
        card = replace(card, artifacts=tuple(artifacts.values()), default=_default(artifacts, default))
        _write(card, source, work, list(made), out)
    return card


def _recorded_data(source: Source) -> str:
    """The data set that a run's configuration names (by its path, perhaps), else a bundle's card (by its name)."""
    if source.folder and (source.folder / CONFIG_FILE).exists():
        return str(json.loads((source.folder / CONFIG_FILE).read_text())["data"])
    if source.card and source.card.training:
        return source.card.training.dataset
    raise DatasetError(f"{source.path}: no card says what it was trained on; name the data set (--data)")


# --- the parts -------------------------------------------------------------------------------------------------------


def _base_card(source: Source, examples: Examples, value_range: tuple[float, float], out: Path) -> Card:
    """The source's card, or for a bare model a new one, with a temperature fitted on the hold-out."""
    name = out.resolve().name
    if source.card:
        return replace(source.card, name=name, artifacts=())
    card = Card(
        name=name,
        labels=examples.train.classes,
        input_shape=tuple(source.model.inputs[0].shape[1:]),
        geometry=natural_geometry(examples.train),
        value_range=value_range,
        parameters=source.model.count_params(),
        macs=count_macs(source.model),
    )
    logits = source.model.predict(_scaled(examples.holdout.images, card), batch_size=CALIBRATION_IMAGES, verbose=0)
    if logits.min() >= 0 and np.allclose(logits.sum(1), 1, atol=1e-3):
        return replace(card, output="probabilities")
    return replace(card, temperature=round(fit_temperature(logits, examples.holdout.labels), 4))


def _kept_artifacts(card: Card, out: Path) -> tuple[Artifact, ...]:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return ()
    if not (out / CARD_FILE).exists():
        raise ConversionError(f"{out}: exists and is no bundle; wanted a new folder or a bundle of this model")
    there = read_bundle(out).card
    if (there.training, there.labels, there.input_shape) != (card.training, card.labels, card.input_shape):
        raise ConversionError(f"{out}: holds a bundle of another model; wanted a new folder")
    return there.artifacts


def _scaled(images: np.ndarray, card: Card) -> np.ndarray:
    """uint8 images as the model's float32 input."""
    low, high = card.value_range
    return as_input(images) * np.float32((high - low) / 255) + np.float32(low)


def _evenly(dataset: Dataset, count: int) -> Dataset:
    """About `count` images, of each class its share, with the darkest and the brightest pixel value among them."""
    if count >= len(dataset):
        return dataset
    _, chosen = stratified_split(dataset.labels, count / len(dataset), seed=0)
    return dataset.subset(chosen)


@contextmanager
def _float_model(
    source: Source, recipe: Recipe, examples: Examples, card: Card, epochs: int, work: Path, say: Say
) -> Iterator[tuple[Path, keras.Model]]:
    """The float model that goes into the converter, and its file: the source, or what the recipe's steps make of it."""
    if not recipe.sparsity:
        yield source.path, source.model
        return
    from .pruning import prune

    settings = card.training.settings if card.training else {}
    batches = mixed_batches(examples.train, settings, card.training.seed if card.training else 0)
    say(f"{recipe.name}: pruning {recipe.sparsity:.0%} over {epochs} epochs of {len(examples.train):,} images")
    model = prune(source.model, recipe.sparsity, batches, epochs, is_open=card.refusal is not None)
    path = work / f"{recipe.name}.keras"
    model.save(path)
    yield path, model
    path.unlink()


def _measure(
    recipe: Recipe,
    path: Path,
    form: str,
    card: Card,
    checked: Dataset,
    reference: np.ndarray,
    examples: Examples,
) -> Artifact:
    engine = open_engine(path, card.value_range, threads=2)
    comparison = compare(recipe, path.name, engine, as_input(checked.images).astype(np.uint8), reference)
    judged = examples.judged
    scores = engine.run(as_input(judged.images).astype(np.uint8))
    probabilities = scores if card.output == "probabilities" else softmax(scores, card.temperature)
    return Artifact(
        file=path.name,
        format=form,
        recipe=recipe.name,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        agreement=comparison.agreement,
        max_difference=comparison.max_difference,
        degraded=comparison.degraded,
        zeros=zero_share(path) if recipe.sparsity else None,
        test_set=examples.test_set,
        test_images=len(judged),
        errors=int((scores.argmax(1) != judged.labels).sum()),
        ece=round(expected_calibration_error(probabilities, judged.labels), 5),
    )


def _line(artifact: Artifact) -> str:
    zeros = "" if artifact.zeros is None else f", {100 * artifact.zeros:.0f} % zeros"
    degraded = "  DEGRADED" if artifact.degraded else ""
    return (
        f"{artifact.file}: {artifact.bytes:,} bytes, {artifact.errors} errors of {artifact.test_images:,} "
        f"({artifact.test_set}), agrees with float on {100 * (artifact.agreement or 0):.1f} %{zeros}{degraded}"
    )


def _default(artifacts: dict[str, Artifact], wanted: str | None) -> str:
    if wanted:
        if wanted not in artifacts:
            raise RecipeError(f"default {wanted!r} is not among {', '.join(artifacts)}")
        return wanted
    sound = [file for file, artifact in artifacts.items() if not artifact.degraded] or list(artifacts)
    return next((file for file in DEFAULT_ORDER if file in sound), sound[0])


def _write(card: Card, source: Source, work: Path, files: Sequence[str], out: Path) -> None:
    """Each file whole, the card last, so that what it vouches for is there."""
    for file in files:
        _copy(work / file, out / file)
    if source.folder and source.folder.resolve() != out.resolve():
        for file in RUN_FILES:
            if (source.folder / file).is_file():
                _copy(source.folder / file, out / file)
    write_card(out, card)


def _copy(source: Path, target: Path) -> None:
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
