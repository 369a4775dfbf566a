"""The steps of a recipe, one after the other, on the float model; each one's result is kept until the bundle is done,
so that a run that was cut off goes on after the last whole step."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..runtime.bundle import Card
from ..runtime.errors import ConversionError
from ..runtime.files import replacing
from ..train.backend import keras
from ..train.scores import keras_scores
from .convert import QUANTIZED, convert
from .examples import Examples
from .recipes import Step
from .sources import Source

Say = Callable[[str], None]


@dataclass(frozen=True)
class FloatModel:
    """What goes into a converter.

    path: a `.keras`, `.tflite` or `.onnx` file; a SavedModel of a model that was trained with int8's roundings.
    form: 'keras', 'tflite', 'onnx' or QUANTIZED.  steps: what was done to the source, in words.
    """

    path: Path
    form: str
    model: Any
    steps: tuple[str, ...] = ()

    def scores(self, source: Source, images: np.ndarray, value_range: tuple[float, ...]) -> np.ndarray:
        """(N, classes) of (N, H, W) or BGR (N, H, W, 3) uint8 images."""
        if self.model is None:
            return source.scores(images, value_range)
        return keras_scores(self.model, images, value_range)

    def converted(self, form: str, folder: Path) -> Path:
        """Its float file as 'tflite' or 'onnx' (of QUANTIZED: the finished int8 file), made once in `folder`."""
        if self.form == form:
            return self.path
        if self.form not in ("keras", QUANTIZED) or (self.form == QUANTIZED and form != "tflite"):
            raise ConversionError(f"{self.path}: a {self.form} file has no {form} form")
        out = folder / f"{self.path.stem}.{form}"
        if out.exists():
            return out
        if self.form == QUANTIZED:
            convert(self.path, QUANTIZED, out)
        else:
            as_loaded = folder / f"{self.path.stem}.keras"  # the file itself may be of Keras 2, or of another precision
            self.model.save(as_loaded)
            convert(as_loaded, form, out)
        return out


class Workshop:
    """Runs steps, and keeps what they made in `folder`."""

    def __init__(self, source: Source, card: Card, examples: Examples, epochs: int, folder: Path, say: Say) -> None:
        self._source, self._card, self._examples, self._epochs = source, card, examples, epochs
        self._folder, self._say = folder, say
        self._identity = json.dumps([source.sha256, examples.train.sha256(), list(card.value_range), epochs])

    def run(self, steps: Sequence[Step]) -> FloatModel:
        """The float model after the steps.  Raises ConversionError where one cannot be done to this model."""
        if not steps:
            return FloatModel(self._source.path, self._source.form, self._source.model)
        if self._source.model is None:
            found = f"{self._source.path} is a {self._source.form} file"
            raise ConversionError(f"{steps[0].name} wants a Keras model with its layers; {found}")
        before = self.run(steps[:-1])
        name = "_".join(step.name for step in steps)
        path = self._folder / f"{name}-{hashlib.sha256((self._identity + name).encode()).hexdigest()[:8]}"
        aware = steps[-1].kind == "qat"
        told = (*before.steps, steps[-1].text)
        if aware:
            return FloatModel(path, QUANTIZED, self._aware(steps, before, path), told)
        path = path.with_suffix(".keras")
        if path.exists():
            self._say(f"{name}: taken from {path}")
        else:
            self._say(f"{name}: {steps[-1].text}")
            model = self._changed(steps, before.model)
            with replacing(path) as temporary:
                model.save(temporary)
        # as a run that was cut off has it: without the loss that it was trained by, which Keras cannot copy
        return FloatModel(path, "keras", keras.models.load_model(path, compile=False), told)

    def _changed(self, steps: Sequence[Step], model: keras.Model) -> keras.Model:
        """The last step done."""
        step, tuning = steps[-1], self._tuning()
        if step.kind == "channels":
            from .channels import USUAL_IMPORTANCE, prune_channels

            return prune_channels(model, step.share, tuning, self._say, step.way or USUAL_IMPORTANCE)
        if step.kind == "lowrank":
            from .lowrank import factorise

            return factorise(model, step.share)
        if step.kind == "distill":
            from .teaching import distill

            student = keras.models.clone_model(model)  # the source itself, where it is the first step, is the teacher
            student.set_weights(model.get_weights())
            return distill(student, self._source.model, tuning)
        if step.kind == "cluster":
            from .clustering import cluster

            assert step.amount
            return cluster(model, step.amount, tuning, keep_zeros=_has(steps, "prune", "sparse2of4"))
        from .pruning import prune, prune_2_of_4

        return prune(model, step.share, tuning) if step.kind == "prune" else prune_2_of_4(model, tuning)

    def _aware(self, steps: Sequence[Step], before: FloatModel, path: Path) -> Any:
        """A model trained with int8's roundings; what is kept is its SavedModel, written whole or not at all."""
        from .qat import quantize_aware, reload

        if path.exists():
            self._say(f"{path.name}: taken from {path}")
            return reload(path)
        self._say(f"{'_'.join(step.name for step in steps)}: {steps[-1].text}")
        zeros, clusters = _has(steps, "prune", "sparse2of4"), _has(steps, "cluster")
        model = quantize_aware(before.model, self._tuning(), keep_zeros=zeros, keep_clusters=clusters)
        temporary = path.with_name(f".{path.name}")
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.redirect_stdout(io.StringIO()):  # a page of its tensors
            model.export(str(temporary))
        temporary.rename(path)
        return reload(path)

    def _tuning(self) -> Any:
        from .tuning import tuning_of

        return tuning_of(self._card, self._examples, self._epochs)


def _has(steps: Sequence[Step], *kinds: str) -> bool:
    return any(step.kind in kinds for step in steps)
