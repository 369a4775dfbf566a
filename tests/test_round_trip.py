"""The whole path on the command line, as a user walks it: train, compress, predict, bench, on artifacts just made."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glyphlite.runtime.bundle import samples_folder
from glyphlite.train.strokes import digit_glyphs

GLYPHLITE = Path(sys.executable).with_name("glyphlite")


def glyphlite(*arguments, code=0, folder):
    """What the command printed on stdout; its exit code must be `code`."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder), "GLYPHLITE_DATA": str(folder)}
    command = [str(GLYPHLITE), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, timeout=500)
    assert done.returncode == code, f"{command}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a data set of 2,000 digits of our own strokes, and the run and the bundle made from it."""
    path = tmp_path_factory.mktemp("walk")
    images, labels = digit_glyphs(2000, np.random.default_rng(0))
    np.savez(path / "strokes.npz", images=images, labels=labels)
    options = ["--arch", "edge", "--epochs", "1", "--batch-size", "16", "--learning-rate", "0.005"]
    glyphlite("train", *options, "--data", "strokes.npz", "--geometry", "mnist", "--out", "run", folder=path)
    recipes = "float32,float16,static_wi8_ai8"
    glyphlite("compress", "run", "--recipe", recipes, "--format", "tflite,onnx", "--out", "bundle", folder=path)
    return path


def test_the_card_is_shown(folder):
    text = glyphlite("models", "show", "bundle", folder=folder)
    assert "trained on strokes (1,834 images, 166 held out), edge, 1 epoch, seed" in text
    assert "static_wi8_ai8.tflite" in text
    card = json.loads(glyphlite("models", "show", "bundle", "--json", folder=folder))
    assert card["geometry"] == "mnist"


def test_the_bundle_verifies(folder):
    text = glyphlite("models", "verify", "bundle", folder=folder)
    assert text.count("ok") == 6
    text = glyphlite("models", "verify", "bundle", "--data", "strokes.npz", folder=folder)
    assert text.count("errors of 166; its card says") == 6


def test_the_samples_are_answered(folder):
    """One epoch on 2,000 drawings reads most of the samples; every artifact gives an answer for each."""
    with (samples_folder() / "labels.csv").open() as file:
        labels = {row["file"]: row["text"] for row in csv.DictReader(file)}
    paths = [samples_folder() / name for name in labels]
    for file in ("static_wi8_ai8.tflite", "float32.onnx"):
        answers = json.loads(glyphlite("predict", *paths, "--model", f"bundle/{file}", "--json", folder=folder))
        right = sum(answer["label"] == labels[Path(answer["file"]).name] for answer in answers)
        assert right >= 0.6 * len(labels), answers


def test_the_benchmark_judges_what_was_made(folder):
    glyphlite("bench", "run", "bundle", "--data", "strokes.npz", "--quick", "--out", "bench", folder=folder)
    results = json.loads((folder / "bench" / "results.json").read_text())["results"]
    assert len(results) == 6
    for result in results:
        assert result["images"] == 2000
        assert result["errors"] < 1000
        assert 0 < result["latency_us"]["p50"] <= result["latency_us"]["p99"]


def test_a_killed_run_is_resumed_and_a_second_run_refused(folder):
    message = glyphlite(
        "train", "--arch", "edge", "--data", "strokes.npz", "--epochs", "1", "--out", "run", code=2, folder=folder
    )
    assert "--resume" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "--arch", "edge", "--data", "nowhere", "--out", "x"], "nowhere: no such data set"),
        (["train", "--arch", "vgg", "--data", "strokes.npz", "--out", "x"], "architecture 'vgg'; wanted one of lenet5"),
        (["compress", "nowhere", "--out", "x"], "nowhere: not there"),
        (["compress", "run", "--recipe", "int7", "--out", "x"], "recipe 'int7' does not exist; `glyphlite compress"),
        (["compress", "run", "--format", "coreml", "--out", "x"], "format 'coreml'; wanted tflite or onnx"),
        (["data", "info", "nowhere"], "nowhere: no such data set"),
        (["data", "fetch", "nowhere"], "wanted one of mnist"),
        (["data", "info", "run"], "one folder per class"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder, arguments, message):
    text = glyphlite(*arguments, code=2, folder=folder)
    assert message in text
    assert text.count("\n") == 1


def test_data_info_and_preview(folder):
    described = json.loads(glyphlite("data", "info", "strokes.npz", "--json", folder=folder))
    assert (described["images"], described["shape"]) == (2000, [28, 28])
    assert sum(described["classes"].values()) == 2000
    glyphlite("data", "preview", "strokes.npz", "--out", "pictures", folder=folder)
    assert {path.name for path in (folder / "pictures").iterdir()} == {
        "strokes-all-classes.png",
        "strokes-all-examples.png",
    }


def test_a_small_network_learns_from_the_run(folder):
    options = ["--arch", "edge", "--width", "0.5", "--epochs", "2", "--batch-size", "16", "--learning-rate", "0.01"]
    glyphlite(
        "distill", "run", *options, "--distill-views", "1", "--data", "strokes.npz", "--out", "student", folder=folder
    )
    card = json.loads((folder / "student" / "card.json").read_text())
    assert card["training"]["settings"]["teacher"] == "run"
    assert card["training"]["errors"] < 0.4 * card["training"]["test_images"]


def test_the_recipes_are_listed(folder):
    text = glyphlite("compress", "--list-recipes", folder=folder)
    assert "prune50_static_wi8_ai8" in text
    assert "float16" in text
