"""Keras, loaded without its backend's start-up notes: `from .backend import keras`.

TensorFlow's C++ part writes a dozen lines on every start (oneDNN, missing GPU drivers) before its own log level counts,
so file descriptor 2 is closed to them while it loads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..runtime.errors import TrainingError

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def has_gpu() -> bool:
    """Whether the backend has a GPU to train on."""
    if keras.backend.backend() == "torch":  # of which Keras lists no devices
        import torch

        return bool(torch.cuda.is_available())
    return any(device.lower().startswith("gpu") for device in keras.distribution.list_devices())


__all__ = ["has_gpu", "keras"]

try:
    with _silent_stderr():
        import keras

        has_gpu()  # the driver is looked for, and complained about
except ValueError as error:  # of a backend that Keras does not know
    raise TrainingError(f"KERAS_BACKEND {os.environ.get('KERAS_BACKEND', '')!r}: {error}") from None
