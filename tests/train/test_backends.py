"""Training without TensorFlow: what JAX trained is TensorFlow's to compress."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from glyphlite.train.batches import as_input
from glyphlite.train.datasets import load_dataset
from glyphlite.train.keras_files import load_keras_model

pytest.importorskip("jax")


def train_on_jax(*arguments):
    environment = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", "from glyphlite.runtime.cli import main; main()", "train", "--arch", "micro"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_of_jax_is_like_any_other(shapes, tmp_path):
    out = tmp_path / "run"
    told = train_on_jax(
        "--data", str(shapes), "--epochs", "8", "--batch-size", "40", "--learning-rate", "0.02", "--out", str(out)
    )
    assert "float32, jax" in told
    card = json.loads((out / "card.json").read_text())
    assert "jax" in card["training"]["versions"] and "tensorflow" not in card["training"]["versions"]
    assert card["training"]["errors"] < 0.2 * card["training"]["test_images"]

    images = load_dataset(str(shapes), "train").images[:32]
    _, model = load_keras_model(str(out))  # here, by TensorFlow
    logits = model(as_input(images), training=False).numpy()
    assert np.isfinite(logits).all() and np.ptp(logits) > 1
