"""Where a Keras model is found: in a training run, in a bundle that kept it, or in a file of its own."""

from __future__ import annotations

from pathlib import Path

from ..runtime.bundle import CARD_FILE, Card, read_bundle, shipped_models
from ..runtime.errors import ConversionError
from .backend import keras

MODEL_FILE = "model.keras"


def load_keras_model(model: str) -> tuple[Path, keras.Model]:
    """The file and the model of a training run, a shipped name, a bundle with a `model.keras`, or a `.keras` file.

    Raises ConversionError where there is none, or one that does not take one image and give one row of scores.
    """
    path = shipped_models().get(model, Path(model))
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.is_file():
        wanted = "wanted a training run, a bundle with a model.keras, or a .keras file"
        raise ConversionError(f"{model}: {'no ' + MODEL_FILE if path.is_dir() else 'not there'}; {wanted}")
    try:
        loaded = keras.models.load_model(file, compile=False)
    except Exception as error:  # Keras raises whatever its parts raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ConversionError(f"{file}: no Keras model, or a damaged one ({reason:.200})") from None
    return file, check_classifier(loaded, file)


def card_beside(file: Path) -> Card | None:
    """The card of the run or bundle that a `model.keras` is part of; None of a file of its own."""
    if file.name != MODEL_FILE or not (file.parent / CARD_FILE).is_file():
        return None
    return read_bundle(file.parent).card


def check_classifier(model: keras.Model, path: Path) -> keras.Model:
    """The model itself; ConversionError where it does not take one image and give one row of scores."""
    if len(model.inputs) != 1 or len(model.inputs[0].shape) != 4 or len(model.outputs) != 1:
        shapes = [tuple(tensor.shape) for tensor in model.inputs]
        raise ConversionError(f"{path}: inputs {shapes}; wanted one image in, one row of scores out")
    return model
