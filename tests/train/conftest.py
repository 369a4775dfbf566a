"""A data set small enough to train on in a test: four shapes, drawn at random places."""

import numpy as np
import pytest


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
