"""Images a second in batches, on one core and on all that may be used, in turn."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.cores import usable_cores
from ..runtime.recognizer import Recognizer
from .contenders import Contender
from .keras_engine import NAME as KERAS

BATCH = 256  # images a call
SECONDS = 0.4  # of batches
LEAST_TURNS = 3


@dataclass(frozen=True)
class Throughput:
    """Of the median batch.  gain: the median over the turns of all cores by one; None where there is one core, or
    where the engine chooses its threads itself."""

    batch: int
    images_per_s: float
    one_core_images_per_s: float
    gain: float | None


def throughput(contender: Contender, glyphs: NDArray[np.uint8], batch: int) -> Throughput:
    """Measured by `predict_batch`; the data set's glyphs are repeated where they are fewer than a batch."""
    path, engine = contender.path, contender.recognizer.engine.name
    images = np.resize(glyphs, (batch, *glyphs.shape[1:]))
    cores = [1] if engine == KERAS else sorted({1, usable_cores()})
    rivals = [
        contender.recognizer
        if engine == KERAS
        else Recognizer.load(path, threads=count, engine=engine, value_range=contender.recognizer.card.value_range)
        for count in cores
    ]
    for rival in rivals:
        rival.predict_batch(images)  # interpreters of many images are made
    turns: list[list[float]] = []
    end = time.perf_counter() + SECONDS
    while len(turns) < LEAST_TURNS or time.perf_counter() < end:
        turns.append([_seconds(rival, images) for rival in rivals])
    times = np.array(turns)
    one, every = np.median(times[:, 0]), np.median(times[:, -1])
    gain = round(float(np.median(times[:, 0] / times[:, -1])), 3) if len(rivals) > 1 else None
    return Throughput(batch, round(batch / float(every), 1), round(batch / float(one), 1), gain)


def _seconds(recognizer: Recognizer, images: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    recognizer.predict_batch(images)
    return time.perf_counter() - start
