"""What can be compressed: a Keras model with its layers, or a float TFLite or ONNX file whose training is lost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..runtime.bundle import ARTIFACT_SUFFIXES, Card, all_models, check_card
from ..runtime.cli import muted_libraries
from ..runtime.engine import Engine, check_tflite, open_engine, reads_along
from ..runtime.errors import ArtifactError, ConversionError
from ..runtime.files import sha256_files
from ..runtime.geometry import INK_GEOMETRIES
from ..runtime.recognizer import are_probabilities, softmax
from ..runtime.scale import IMAGENET, WHOLE, scale_text, scaled_pixels
from ..train.backend import keras
from ..train.batches import as_input
from ..train.calibration import fit_temperature
from ..train.complexity import count_macs
from ..train.datasets import Dataset, natural_geometry
from ..train.intervals import mcnemar_exact
from ..train.keras_files import (
    card_beside,
    check_classifier,
    load_keras_model,
    of_keras_2,
    read_keras_file,
    reason_of,
)
from ..train.scores import keras_scores
from .inspect import inspect_file, model_files
from .tflite import TFLiteFile

SURELY_BETTER = 0.001  # chance by which another scale or order may be right so much oftener, and this one not be wrong
SCALES = ((0.0, 1.0), (-1.0, 1.0), IMAGENET)  # that networks are trained in, beside the whole one


@dataclass(frozen=True)
class Source:
    """A trained model and what is known of it.

    path: its file.  form: 'keras', 'tflite' or 'onnx'.  model: the Keras 3 model; None of another form.
    card: its run's or bundle's; None of a bare file.  folder: of that run or bundle.
    """

    path: Path
    form: str
    model: keras.Model | None
    card: Card | None = None
    folder: Path | None = None
    input_shape: tuple[int, int, int] = (0, 0, 0)
    classes: int = 0

    @property
    def sha256(self) -> str:
        """Hex, of its file; of a SavedModel, or an ONNX file with others beside it, of their names and hashes."""
        return sha256_files(model_files(self.path))

    @property
    def reads_lines(self) -> bool:
        """It takes strips of any width."""
        return reads_along(self.input_shape)

    def scores(self, images: np.ndarray, value_range: tuple[float, ...]) -> np.ndarray:
        """(N, classes) float32 of (N, H, W) or BGR (N, H, W, 3) uint8 images."""
        if self.model is not None:
            return keras_scores(self.model, images, value_range)
        return opened(self.path, value_range).run(as_input(images).astype(np.uint8))


def load_source(model: str) -> Source:
    """A training run, a bundle that kept its `model.keras`, a `.keras`, `.h5` or SavedModel of Keras 2 or 3, or a float
    `.tflite` or `.onnx`.

    Raises ConversionError where there is none, or one that is quantized already.
    """
    path = all_models().get(model, Path(model))
    if path.suffix in ARTIFACT_SUFFIXES and not path.is_dir():
        return _load_artifact(path)
    older = path.suffix in (".h5", ".hdf5") or (path / "saved_model.pb").is_file()
    if older or (path.suffix == ".keras" and of_keras_2(path)):
        return _of_keras(path, _load_older(path))
    path, loaded = load_keras_model(model)
    card = card_beside(path)
    return replace(_of_keras(path, loaded), card=card, folder=path.parent if card else None)


def opened(path: Path, value_range: tuple[float, ...] = WHOLE, threads: int = 2) -> Engine:
    """An artifact's engine, without what LiteRT writes on stderr at the first."""
    with muted_libraries():
        return open_engine(path, value_range, threads)


def scaled(images: np.ndarray, value_range: tuple[float, ...]) -> np.ndarray:
    """uint8 images as a model's float32 input."""
    return np.asarray(scaled_pixels(as_input(images), value_range))


def check_options(source: Source, scale: tuple[float, ...] | None, geometry: str) -> None:
    """Raises ConversionError where the source's card says another scale or geometry than was asked for."""
    if source.card and scale and (reason := source.card.against_scale(scale)):
        raise ConversionError(f"--scale {scale_text(scale)}: {source.path} {reason}")
    if source.card and geometry not in ("", source.card.geometry):
        raise ConversionError(f"--geometry {geometry}: {source.path} has a card, which says {source.card.geometry}")


def card_of(
    source: Source, name: str, data: Dataset, scale: tuple[float, ...] | None = None, geometry: str = ""
) -> Card:
    """The source's card under a new name, or for a bare model one made of what its answers to `data` tell.

    scale: what 0 and 255 become at the model's input; None: 0 and 255.  geometry: '': by the data set.
    Raises ConversionError where many more images are right in another scale, unless `scale` was given, or with the
    outputs in the order of the classes' numbers, or where the source's card says otherwise; CardError where the
    model's input is none of that geometry.
    """
    check_options(source, scale, geometry)
    if source.card:
        return replace(source.card, name=name, artifacts=(), default=None)
    value_range = scale or WHOLE
    scores = source.scores(data.images, value_range)
    if scale is None:
        _check_scale(source, data, scores)
    _check_order(source, data, scores)
    card = Card(
        name=name,
        labels=data.classes,
        input_shape=source.input_shape,
        geometry=geometry or natural_geometry(data),
        value_range=value_range,
        parameters=source.model.count_params() if source.model else None,
        macs=count_macs(source.model) if source.model else inspect_file(source.path).macs,
    )
    check_card(card, name)
    if are_probabilities(scores):
        return replace(card, output="probabilities")
    return replace(card, temperature=round(fit_temperature(scores, data.labels), 4))


def input_text(source: Source, card: Card) -> str:
    """How images become inputs of a bare model's bundle, in words."""
    whole = card.geometry not in INK_GEOMETRIES
    by = f"--geometry {card.geometry} ({'the whole image' if whole else 'the ink, placed'})"
    height, width, channels = source.input_shape
    hint = "; a model of glyphs wants --geometry mnist" if whole and (height, channels) == (width, 1) else ""
    return f"{source.path.name}: no card; images become inputs by {by}, --scale {scale_text(card.value_range)}{hint}"


def probabilities(card: Card, scores: np.ndarray) -> np.ndarray:
    """What a model of this card says with its scores."""
    return scores if card.output == "probabilities" else np.asarray(softmax(scores.copy(), 1 / card.temperature))


def _check_scale(source: Source, data: Dataset, scores: np.ndarray) -> None:
    """Images in [0, 255] where [0, 1] was trained, or the other way round, are the usual mistake."""
    right = scores.argmax(1) == data.labels
    with np.errstate(all="ignore"):
        tried = [one for one in SCALES if len(one) == 2 or source.input_shape[2] == 3]
        others = {one: source.scores(data.images, one).argmax(1) == data.labels for one in tried}
    scale, better = max(others.items(), key=lambda one: one[1].sum())
    if _surely_better(better, right):
        raise ConversionError(
            f"{source.path}: answers {100 * right.mean():.1f} % of {data.name} right with --scale 0,255, and "
            f"{100 * better.mean():.1f} % with --scale {scale_text(scale)}: give one of the two"
        )


def _check_order(source: Source, data: Dataset, scores: np.ndarray) -> None:
    """Folders 0 to 11 sort as 0, 1, 10, 11, 2, …: so do the outputs of a network that Keras's or torchvision's loader
    taught, and not of one whose labels were numbers."""
    if not all(label.isdecimal() for label in data.classes):
        return
    by_number = np.argsort(np.argsort([int(label) for label in data.classes], kind="stable"))
    right, better = (scores.argmax(1) == order[data.labels] for order in (np.arange(len(by_number)), by_number))
    if _surely_better(better, right):
        raise ConversionError(
            f"{source.path}: answers {100 * right.mean():.1f} % of {data.name} right where its outputs are "
            f"{', '.join(data.classes[:5])}, …, as folders sort, and {100 * better.mean():.1f} % in the order of the "
            "numbers: wanted names that sort so, like 00, 01, 02"
        )


def _surely_better(better: np.ndarray, right: np.ndarray) -> bool:
    won, lost = int((better & ~right).sum()), int((right & ~better).sum())
    return won > lost and mcnemar_exact(lost, won) < SURELY_BETTER


def _of_keras(path: Path, model: keras.Model) -> Source:
    _, height, width, channels = model.inputs[0].shape
    shape = _checked_shape(path, (height or -1, width or -1, channels or -1))
    return Source(path, "keras", model, None, None, shape, int(model.outputs[0].shape[-1]))


def _checked_shape(path: Path, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """An input's (height, width, channels) itself.  Raises ConversionError where no images can be made for it."""
    height, width, channels = shape
    if height < 1 or (width < 1 and not reads_along(shape)):
        raise ConversionError(f"{path}: takes images of any size; wanted one of a fixed height and width")
    if channels not in (1, 3):
        raise ConversionError(f"{path}: takes images of {channels} channels; wanted 1 or 3")
    return shape


def _load_artifact(path: Path) -> Source:
    if not path.is_file():
        raise ConversionError(f"{path}: not there; wanted a model's file")
    try:
        engine = opened(path)
    except ArtifactError as error:
        raise ConversionError(str(error)) from None
    form = ARTIFACT_SUFFIXES[path.suffix]
    if not (TFLiteFile(check_tflite(path), str(path)).is_float if form == "tflite" else _is_float_onnx(path)):
        raise ConversionError(f"{path}: quantized already; wanted the float file that it was made of")
    shape = _checked_shape(path, engine.input_shape)
    return Source(path, form, None, card_beside(path), None, shape, engine.classes)


def _is_float_onnx(path: Path) -> bool:
    import onnx

    weights = onnx.load(path).graph.initializer
    return not any(weight.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8) for weight in weights)


def _load_older(path: Path) -> keras.Model:
    """A `.h5`, a SavedModel, a `.keras` of Keras 2: as Keras 3 reads it, else through Keras 2 and the bridge."""
    if not path.exists():
        raise ConversionError(f"{path}: not there; wanted a model's file")
    reasons = []
    if path.is_file():
        try:
            return check_classifier(read_keras_file(path), path)
        except ConversionError:
            raise
        except Exception as error:  # Keras raises whatever its parts raise
            reasons.append(f"Keras {keras.__version__}: {reason_of(error)}")
    import tf_keras

    from .bridge import to_keras3

    try:
        older = tf_keras.models.load_model(path, compile=False)
    except Exception as error:
        reasons.append(f"Keras {tf_keras.__version__}: {reason_of(error)}")
        raise ConversionError(f"{path}: no model that Keras loads ({'; '.join(reasons)})") from None
    if not isinstance(older, tf_keras.Model):
        raise ConversionError(
            f"{path}: a SavedModel without its Keras layers, as `export` writes it; wanted the .keras file, or the "
            ".tflite that tf.lite.TFLiteConverter.from_saved_model makes of it"
        )
    try:
        return check_classifier(to_keras3(older), path)
    except ConversionError as error:
        raise ConversionError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from None
