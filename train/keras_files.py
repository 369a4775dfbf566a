"""Where a Keras model is found: in a training run, in a bundle that kept it, or in a file of its own."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from ..runtime.bundle import ARTIFACT_SUFFIXES, CARD_FILE, Card, all_models, read_bundle
from ..runtime.errors import ConversionError
from .backend import keras

MODEL_FILE = "model.keras"
CONFIG_FILE = "config.json"  # of a training run, from its beginning


def load_keras_model(model: str) -> tuple[Path, keras.Model]:
    """The file and the model of a training run, an installed or shipped name, a bundle with a `model.keras`, or a
    `.keras` file.

    Raises ConversionError where there is none, or one that does not take one image and give one row of scores.
    """
    path = all_models().get(model, Path(model))
    file = path / MODEL_FILE if path.is_dir() else path
    if is_unfinished(path):
        raise ConversionError(f"{model}: a training run that is not finished; `glyphlite train --resume` goes on")
    if not file.is_file():
        wanted = "wanted a training run, a bundle with a model.keras, or a .keras file"
        raise ConversionError(f"{model}: {'no ' + MODEL_FILE if path.is_dir() else 'not there'}; {wanted}")
    try:
        loaded = read_keras_file(file)
    except ConversionError:
        raise
    except Exception as error:  # Keras raises whatever its parts raise
        raise ConversionError(f"{file}: no Keras model, or a damaged one ({reason_of(error)})") from None
    return file, check_classifier(loaded, file)


def is_unfinished(run: Path) -> bool:
    """Whether a folder is of a training run that has not come to its end: its model is written, and last its card."""
    return (run / CONFIG_FILE).is_file() and not all((run / name).is_file() for name in (MODEL_FILE, CARD_FILE))


def reason_of(error: Exception) -> str:
    """What went wrong in Keras, on one line: the cause, where Keras puts it behind the configuration that it read."""
    text = str(error).rpartition("Exception encountered:")[2] or type(error).__name__
    return f"{' '.join(text.split()):.200}"


def read_keras_file(file: Path) -> keras.Model:
    """The model in a `.keras` or `.h5` file, as Keras 3 reads it, computing in float32.

    Raises ConversionError where Keras 2 wrote it and Keras 3 would compute something else; else whatever Keras raises.
    """
    model = _in_float32(keras.models.load_model(file, compile=False))
    if of_keras_2(file):
        for layer in model.layers:
            if _uses(layer.get_config(), "hard_sigmoid"):
                raise ConversionError(
                    f"{file}: layer {layer.name!r}: hard_sigmoid of Keras 2, which wrote it, is another function in "
                    f"Keras {keras.__version__}; wanted a model without it"
                )
    return model


def _uses(config: Any, activation: str) -> bool:
    """Whether a layer's configuration, or one in it, names an activation."""
    if isinstance(config, dict):
        own = any(value == activation for key, value in config.items() if str(key).endswith("activation"))
        return own or any(_uses(value, activation) for value in config.values())
    return isinstance(config, (list, tuple)) and any(_uses(value, activation) for value in config)


def of_keras_2(file: Path) -> bool:
    """Whether a `.keras` or `.h5` file says that Keras 2 wrote it."""
    import h5py

    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                version = json.loads(archive.read("metadata.json"))["keras_version"]
        else:
            with h5py.File(file) as weights:
                version = weights.attrs["keras_version"]
    except (OSError, KeyError, ValueError):  # it says nothing, or is no such file
        return False
    return (version.decode() if isinstance(version, bytes) else str(version)).startswith("2.")


def _in_float32(model: keras.Model) -> keras.Model:
    """The model, or one of its weights that computes in float32 where it did in another precision."""
    layers = model._flatten_layers() if isinstance(model, keras.Model) else ()
    others = [layer for layer in layers if layer.compute_dtype not in (None, "float32")]
    if not others:
        return model
    for layer in others:
        layer.dtype_policy = "float32"
    result = keras.models.clone_model(model)
    result.set_weights(model.get_weights())
    return result


def card_beside(file: Path) -> Card | None:
    """The card of the run or bundle that a `model.keras` or an artifact is part of; None of a file of its own."""
    is_part = file.name == MODEL_FILE or file.suffix in ARTIFACT_SUFFIXES
    if not is_part or not (file.parent / CARD_FILE).is_file():
        return None
    card = read_bundle(file.parent).card
    return card if file.name in (MODEL_FILE, *(artifact.file for artifact in card.artifacts)) else None


def check_classifier(model: keras.Model, path: Path) -> keras.Model:
    """The model itself, or where it names its input or its output, one of the same layers that does not.

    Raises ConversionError where it does not take one image of floats and give one row of scores.
    """
    ins, outs = (getattr(model, side, None) or [] for side in ("inputs", "outputs"))
    if len(ins) != 1 or len(ins[0].shape) != 4 or len(outs) != 1:
        shapes = [[tuple(tensor.shape) for tensor in side] for side in (ins, outs)]
        raise ConversionError(
            f"{path}: inputs {shapes[0]}, outputs {shapes[1]}; wanted one image in, one row of scores out"
        )
    if not ins[0].dtype.startswith("float"):
        raise ConversionError(f"{path}: an input of {ins[0].dtype}; wanted float32")
    named = any(isinstance(getattr(model, side, None), (dict, list, tuple)) for side in ("input", "output"))
    return keras.Model(ins[0], outs[0], name=model.name) if named else model
