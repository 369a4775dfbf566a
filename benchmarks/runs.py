"""Networks that a study wants: trained and compressed by the commands that a person would type, once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from ..runtime.bundle import CARD_FILE, Card, read_bundle
from ..train.datasets import Dataset

BATCH = 500  # images judged at once


def trained(folder: Path, **options: object) -> Card:
    """The card of a run of `glyphlite train --OPTION VALUE … --out FOLDER`; one that was cut off is resumed."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    if not (folder / CARD_FILE).exists():
        _glyphlite("train", "--resume", *words, "--out", str(folder))
    return read_bundle(folder).card


def compressed(run: Path, folder: Path, recipe: str, data: Path) -> Card:
    """The card of a run's bundle of one recipe."""
    if not (folder / CARD_FILE).exists():
        _glyphlite("compress", str(run), "--recipe", recipe, "--data", str(data), "--out", str(folder))
    return read_bundle(folder).card


def wrong_answers(run: Path, test: Dataset) -> tuple[int, ...]:
    """Which of the grey test images a run's float network gets wrong."""
    from ..train.keras_files import load_keras_model

    model = load_keras_model(str(run))[1]
    images = test.images[..., None].astype(np.float32)
    answers = np.asarray(model.predict(images, batch_size=BATCH, verbose=0)).argmax(1)
    return tuple(np.flatnonzero(answers != test.labels).tolist())


def _glyphlite(*words: str) -> None:
    program = Path(sys.executable).with_name("glyphlite")
    done = subprocess.run([str(program), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"glyphlite {' '.join(words)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
