"""`glyphlite train compare`: runs by what they held out."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime.cli import root
from glyphlite.runtime.errors import TrainingError
from glyphlite.train import training
from glyphlite.train.calibration import negative_log_likelihood
from glyphlite.train.config import TrainingConfig
from glyphlite.train.datasets import load_dataset, part_training_set
from glyphlite.train.keras_files import load_keras_model
from glyphlite.train.scores import keras_scores
from glyphlite.train.selection import compare


@pytest.fixture(scope="module")
def runs(shapes, tmp_path_factory):
    """Two runs on the same part of the drawn shapes, of which the second learned longer, and one on another part."""
    folder = tmp_path_factory.mktemp("runs")
    for name, epochs, seed in (("short", 1, 0), ("long", 8, 0), ("other", 1, 3)):
        config = TrainingConfig("micro", str(shapes), epochs=epochs, batch_size=32, learning_rate=0.01, seed=seed)
        training.train(config, folder / name, say=lambda _: None)
    return folder


def test_the_better_one_is_told(runs, shapes):
    names = [str(runs / "short"), str(runs / "long")]
    short, long = compare(names, str(shapes), views=3)
    assert [Path(one.model).name for one in (short, long)] == ["short", "long"]
    _, held = part_training_set(load_dataset(str(shapes), "train"), 1 / 12, 0, 0)
    assert (short.images, short.distorted_images) == (len(held), 3 * len(held))
    assert long.nll < short.nll and long.errors <= short.errors
    assert short.p is None and 0 < long.p <= 1
    logits = keras_scores(load_keras_model(str(runs / "long"))[1], held.images)
    assert long.errors == (logits.argmax(1) != held.labels).sum()
    assert long.nll <= negative_log_likelihood(logits, held.labels) + 1e-4  # at the best temperature


def test_undistorted_views_are_the_images(runs, shapes):
    (one,) = compare([str(runs / "long")], str(shapes), augment="none", views=2)
    assert (one.distorted_errors, one.distorted_nll) == (2 * one.errors, pytest.approx(one.nll))


def test_what_cannot_be_compared_is_named(runs, shapes, tmp_path):
    with pytest.raises(TrainingError, match=r"other: held out other images \(seed 3, .* than .*long \(seed 0"):
        compare([str(runs / "long"), str(runs / "other")], str(shapes))
    np.savez(tmp_path / "two.npz", images=np.zeros((40, 20, 20), np.uint8), labels=np.arange(40) % 2)
    with pytest.raises(TrainingError, match="4 classes of 20 × 20 × 1; two has others"):
        compare([str(runs / "long")], str(tmp_path / "two.npz"))
    bare = tmp_path / "bare.keras"
    bare.write_bytes((runs / "long" / "model.keras").read_bytes())
    with pytest.raises(TrainingError, match=r"bare\.keras: no card tells what it held out"):
        compare([str(bare)], str(shapes))


def test_as_a_table_and_as_json(runs, shapes):
    command = ["train", "compare", str(runs / "short"), str(runs / "long"), "--data", str(shapes), "--augment", "mild"]
    table = CliRunner().invoke(root, command)
    assert table.exit_code == 0, table.output
    head, *lines = table.stdout.splitlines()
    assert "errors of" in head and "mild, of" in head and len(lines) == 2
    told = json.loads(CliRunner().invoke(root, [*command, "--json"]).stdout)
    assert [one["errors"] for one in told] == [int(line.split()[1]) for line in lines]


def test_other_data_than_was_held_out_of_is_refused(runs, shapes, tmp_path):
    with np.load(shapes) as data:
        turned = {name: data[name][::-1] if name in ("images", "labels") else data[name] for name in data.files}
    np.savez(tmp_path / "turned.npz", **turned)
    with pytest.raises(TrainingError, match=r"short: did not hold out of turned as it is now"):
        compare([str(runs / "short")], str(tmp_path / "turned.npz"))


def test_a_line_reader_is_refused():
    with pytest.raises(TrainingError, match="digits-line: reads lines"):
        compare(["digits-line"], "mnist")
