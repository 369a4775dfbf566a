"""`glyphlite train report`: one file that tells all of a run."""

import base64
import re

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime.cli import root
from glyphlite.train import plots, training
from glyphlite.train.config import TrainingConfig
from glyphlite.train.report import reliability


@pytest.fixture(scope="module")
def run(shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "shapes"
    config = TrainingConfig("edge", str(shapes), width=0.25, epochs=2, batch_size=32)
    training.train(config, folder, say=lambda _: None)
    return folder


def test_everything_is_in_one_file(run, tmp_path):
    out = tmp_path / "told.html"
    done = CliRunner().invoke(root, ["train", "report", str(run), "--out", str(out)])
    assert done.exit_code == 0, done.output
    html = out.read_text()
    assert not re.search(r'(src|href)="(?!data:)', html)
    pictures = [base64.b64decode(text) for text in re.findall(r"base64,([^\"]+)", html)]
    assert len(pictures) == 7
    assert all(cv2.imdecode(np.frombuffer(png, np.uint8), 1).shape[1] > 300 for png in pictures)
    for heading in ("Data", "Learning curves", "What the network saw", "Answers", "Worst errors", "Confusion"):
        assert f"<h2>{heading}</h2>" in html
    assert re.search(r"\d % \(95 %: \d+\.\d\d to \d+\.\d\d\)", html)
    assert "batch size" in html and "expected calibration error" in html
    assert "distill" not in html and "add times" not in html  # there was no teacher


@pytest.mark.parametrize(("errors", "scale"), [([0.5, 0.25, 0.1], "log"), ([0.5, 0.25, 0.0, 0.0], "linear")])
def test_a_curve_that_comes_to_no_errors_is_drawn_to_its_end(tmp_path, monkeypatch, errors, scale):
    drawn = []
    monkeypatch.setattr(plots, "_scale", lambda *axes, kept=plots._scale: (kept(*axes), drawn.extend(axes)))
    rows = [
        {"epoch": epoch, "loss": 0.5, "val_loss": 0.4, "accuracy": 1 - error, "val_accuracy": 1 - error}
        for epoch, error in enumerate(errors, 1)
    ]
    plots.learning_curves(tmp_path / "curves.png", rows)
    assert [axes.get_yscale() for axes in drawn] == ["log", scale]


def test_a_softmax_taken_twice_is_unsure():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 500)
    logits = rng.normal(0, 1, (500, 10)) + 12 * np.eye(10)[labels]
    confidences, errors = zip(*reliability(logits, labels, 1.0).values(), strict=True)
    assert confidences[0].mean() > 0.99 and errors[0] < 0.01
    assert confidences[2].max() < 0.25 and errors[2] > 0.7  # e / (e + 9)


def test_what_is_no_run_is_named(run, tmp_path):
    (tmp_path / "card.json").write_text((run / "card.json").read_text())
    done = CliRunner().invoke(root, ["train", "report", str(tmp_path)])
    assert "no config.json or history.csv; wanted the folder of a training run" in str(done.exception)
    done = CliRunner().invoke(root, ["train", "--arch", "edge"])
    assert done.exit_code == 2 and "Missing option '--data'" in done.output
