"""What people would use otherwise, in the same run: the same network through other engines, and other classifiers.

Keras's `predict` is the call of the app that glyphlite replaced.  What is not installed, or has no file, is skipped and
said.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import GlyphliteError
from ..runtime.scale import scaled_pixels
from ..train.datasets import load_dataset, stratified_split
from .accuracy import Judges
from .contenders import Contender, Skipped
from .features import pixels
from .latency import Call

TRAINED_ON = 10_000  # images that scikit-learn's classifiers learn from, at most
NEIGHBOURS = 3
JUDGED_AT_ONCE = 500  # images

Classify = Callable[[NDArray[np.uint8]], NDArray[np.int64]]  # (N, H, W[, 3]) glyphs to (N,) answers


@dataclass(frozen=True)
class Peer:
    """name: what it is.  call: one image's answer.  errors: of the judged images; None where it was not judged."""

    name: str
    call: Call
    errors: int | None


def open_peers(contender: Contender, judges: Judges, source: str) -> tuple[list[Peer], list[Skipped]]:
    """The peers of one contender's model, judged; source: the data set that classifiers learn from."""
    peers: list[Peer] = []
    skipped: list[Skipped] = []
    for name, module, make in (
        ("Keras predict", "keras", _keras_predict),
        ("Keras tf.function", "tensorflow", _keras_function),
        ("OpenCV dnn", "cv2", _opencv),
        (f"scikit-learn {NEIGHBOURS}-NN", "sklearn", _neighbours),
        ("scikit-learn SVM (RBF)", "sklearn", _svm),
    ):
        if importlib.util.find_spec(module) is None:
            skipped.append(Skipped(f"peer {name}", f"{module} is not installed"))
            continue
        try:
            classify = make(contender, judges, source)
            wrong = sum(
                int((classify(part) != labels).sum())
                for part, labels in _parts(judges.glyphs, judges.labels, JUDGED_AT_ONCE)
            )
        except Exception as error:  # every peer has errors of its own, and none of them may end the run
            skipped.append(Skipped(f"peer {name}", " ".join(str(error).split())[:200] or type(error).__name__))
            continue
        peers.append(Peer(name, partial(classify, judges.glyphs[:1].copy()), wrong))
    return peers, skipped


def _parts(
    glyphs: NDArray[np.uint8], labels: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    for start in range(0, len(glyphs), size):
        yield glyphs[start : start + size], labels[start : start + size]


def _keras_model(contender: Contender) -> Any:
    from ..train.keras_files import MODEL_FILE, load_keras_model

    if not (contender.path.parent / MODEL_FILE).is_file():
        raise GlyphliteError(f"{contender.path.parent} keeps no {MODEL_FILE}")
    return load_keras_model(str(contender.path.parent))[1]


def _values(glyphs: NDArray[np.uint8], contender: Contender) -> NDArray[np.float32]:
    """A float network's input: (N, H, W, C) float32 as the contender's card says."""
    channels_last = glyphs if glyphs.ndim == 4 else glyphs[..., None]
    return np.asarray(scaled_pixels(channels_last, contender.recognizer.card.value_range))


def _keras_predict(contender: Contender, judges: Judges, source: str) -> Classify:
    model = _keras_model(contender)
    return lambda glyphs: np.asarray(model.predict(_values(glyphs, contender), verbose=0)).argmax(1)


def _keras_function(contender: Contender, judges: Judges, source: str) -> Classify:
    import tensorflow as tf

    model = _keras_model(contender)
    function = tf.function(lambda images: model(images, training=False), reduce_retracing=True)
    return lambda glyphs: function(tf.constant(_values(glyphs, contender))).numpy().argmax(1)


def _opencv(contender: Contender, judges: Judges, source: str) -> Classify:
    import cv2

    path = contender.path.with_name("float32.onnx")
    if not path.is_file():
        raise GlyphliteError(f"{path.parent} has no {path.name}")
    network = cv2.dnn.readNetFromONNX(str(path))

    def classify(glyphs: NDArray[np.uint8]) -> NDArray[np.int64]:
        answers = np.empty(len(glyphs), np.int64)
        for index, image in enumerate(_values(glyphs, contender)):
            network.setInput(image[None])
            answers[index] = int(network.forward().argmax())
        return answers

    return classify


def _neighbours(contender: Contender, judges: Judges, source: str) -> Classify:
    from sklearn.neighbors import KNeighborsClassifier

    return _fitted(KNeighborsClassifier(NEIGHBOURS), contender, judges, source)


def _svm(contender: Contender, judges: Judges, source: str) -> Classify:
    from sklearn.svm import SVC

    return _fitted(SVC(C=10, gamma="scale"), contender, judges, source)


def _fitted(classifier: Any, contender: Contender, judges: Judges, source: str) -> Classify:
    """A classifier of raw pixels in [0, 1], trained on the data set's training part."""
    dataset = load_dataset(source, "train", contender.recognizer.card.input_shape)
    if dataset.split != "train":
        raise GlyphliteError(f"{dataset.name} has no training part of its own")
    if len(dataset) > TRAINED_ON:
        _, chosen = stratified_split(dataset.labels, TRAINED_ON / len(dataset), 0)
        dataset = dataset.subset(chosen)
    labels: Sequence[str] = contender.recognizer.card.labels
    numbers = np.array([labels.index(name) if name in labels else n for n, name in enumerate(dataset.classes)])
    images = dataset.images[..., ::-1] if dataset.images.ndim == 4 else dataset.images
    classifier.fit(pixels(images), numbers[dataset.labels])
    return lambda glyphs: classifier.predict(pixels(glyphs))
