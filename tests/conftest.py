"""What several folders' tests share: models small enough to compute by hand, and the place of the real data."""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it once, when it is first imported

import numpy as np
import pytest
from tiny_models import TINY_SHAPE, write_tiny_models
from tiny_models import weights as make_weights


@pytest.fixture(scope="session")
def data_root():
    """Folder of the real data sets, from the environment variable GLYPHLITE_DATA."""
    if "GLYPHLITE_DATA" not in os.environ:
        pytest.skip("GLYPHLITE_DATA is not set: no real data here")
    return Path(os.environ["GLYPHLITE_DATA"])


@pytest.fixture(scope="session")
def tiny_weights():
    """(12 × 8 × 3, 4) float32 of -0.01, 0 and 0.01, which 8 bits hold exactly: logits = pixels · weights."""
    return make_weights()


@pytest.fixture(scope="session")
def tiny_tflite(tmp_path_factory):
    """Name and path of tiny `.tflite` files, as tiny_models.py tells; where GLYPHLITE_TINY_MODELS names a folder, those
    that were written into it: a device has no TensorFlow."""
    folder = os.environ.get("GLYPHLITE_TINY_MODELS")
    if folder is None:
        folder = tmp_path_factory.mktemp("tiny")
        write_tiny_models(folder)
    return {path.stem: path for path in Path(folder).glob("*.tflite")}


@pytest.fixture(scope="session")
def tiny_images():
    """(70, 12, 8, 3) uint8 of noise: two batches of 32 and a rest."""
    return np.random.default_rng(1).integers(0, 256, (70, *TINY_SHAPE)).astype(np.uint8)


def draw_shapes(count, seed, side=20):
    """(N, side, side) uint8 bars, crosses, boxes and dots, and their labels 0 to 3."""
    rng = np.random.default_rng(seed)
    images = np.zeros((count, side, side), np.uint8)
    labels = rng.integers(0, 4, count)
    for image, label in zip(images, labels, strict=True):
        x, y = rng.integers(2, side - 13, 2)
        part = image[y : y + 11, x : x + 11]
        ink = rng.integers(150, 256)
        if label in (0, 1):
            part[:, 4:7] = ink
        if label == 1:
            part[4:7] = ink
        if label == 2:
            part[:] = ink
            part[3:8, 3:8] = 0
        if label == 3:
            part[4:7, 4:7] = ink
    return images, labels


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """Path of an `.npz` of 480 shapes of 20×20."""
    path = tmp_path_factory.mktemp("data") / "shapes.npz"
    images, labels = draw_shapes(480, seed=0)
    np.savez(path, images=images, labels=labels)
    return path
