"""`glyphlite bench robustness`: a table, JSON and a picture; figures that can be counted by hand."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.benchmarks.robustness import (
    Judged,
    judge_boxes,
    judge_corrupted,
    mean_accuracy,
    mean_interval,
    table,
)
from glyphlite.benchmarks.stats import wilson_interval
from glyphlite.runtime import Recognizer, shipped_models
from glyphlite.runtime.cli import root
from glyphlite.runtime.errors import DatasetError, ModelError
from glyphlite.runtime.explain import save_picture


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Drawn digits, as an .npz that judges itself."""
    from glyphlite.train.mixture import drawn_digits

    images, labels = drawn_digits(400, np.random.default_rng(3))
    path = tmp_path_factory.mktemp("data") / "drawn.npz"
    np.savez(path, images=images, labels=labels)
    return path


@pytest.fixture(scope="module")
def model():
    return Recognizer.load("digits-edge")


def test_the_mean_is_of_the_papers_kinds():
    judged = [Judged("m", "clean", 0, 0, 10), Judged("m", "fog", 1, 2, 10), Judged("m", "thin", 1, 9, 10)]
    judged += [Judged("m", "fog", severity, 4, 10) for severity in (2, 3, 4, 5)]
    assert mean_accuracy(judged, "m") == pytest.approx((0.8 + 4 * 0.6) / 5)
    assert mean_accuracy(judged, "m", as_published=True) == pytest.approx(0.6)  # fog as the fifth severity
    low, high = judged[1].interval
    assert low < 0.8 < high
    assert "| fog | m | 80.0 | 60.0 | 60.0 | 60.0 | 60.0 | 64.0 (31.3–83.2) |" in table(judged)


def test_severities_of_the_same_images_are_not_more_images():
    rng = np.random.default_rng(0)
    hard = rng.random(1000) < 0.1  # always wrong: five severities tell no more than one
    alike = [Judged("m", "fog", severity, int(hard.sum()), 1000, ~hard) for severity in (1, 2, 3, 4, 5)]
    share, low, high = mean_interval(alike)
    one = wilson_interval(1000 - int(hard.sum()), 1000)
    assert (low, high) == pytest.approx(one, abs=1e-3) and low < share < high
    apart = [rng.random(1000) >= 0.1 for _ in range(5)]
    loose = [Judged("m", "fog", 1 + n, int((~right).sum()), 1000, right) for n, right in enumerate(apart)]
    _, low_apart, high_apart = mean_interval(loose)
    assert 0.35 < (high_apart - low_apart) / (high - low) < 0.55  # about the root of five


def test_two_artifacts_of_one_model_are_told_apart(digits):
    folder = shipped_models()["digits-edge"]
    pair = [Recognizer.load(folder / file) for file in ("float32.tflite", "static_wi8_ai8_stripped.tflite")]
    judged = judge_corrupted(pair, str(digits), ["fog"], limit=20)
    assert {one.model for one in judged} == {"digits-edge/float32.tflite", "digits-edge/static_wi8_ai8_stripped.tflite"}
    same = [Recognizer.load(folder), Recognizer.load(folder)]  # as of a copy in another folder
    names = {one.model for one in judge_corrupted(same, str(digits), ["fog"], limit=20)}
    assert names == {f"digits-edge/static_wi8_ai8_stripped.tflite ({number})" for number in (1, 2)}


def test_more_damage_is_more_errors(digits, model):
    judged = judge_corrupted([model], str(digits), ["impulse_noise"])
    clean, *noisy = [one.errors for one in judged]
    assert clean < noisy[-1] and len(noisy) == 5


def test_the_command(digits, tmp_path):
    out = tmp_path / "out"
    arguments = ["bench", "robustness", "--data", str(digits), "--kinds", "fog,shear", "--out", str(out), "--json"]
    done = CliRunner().invoke(root, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads((out / "robustness.json").read_text())
    assert [one["severity"] for one in found["results"]] == [0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5]
    assert set(found["mean_accuracy"]) == {"digits-edge"}
    written = (out / "robustness.md").read_text()
    assert "mean over MNIST-C" in written and "severity as published" in written
    assert cv2.imread(str(out / "robustness.png")).shape[0] > 100


def test_photos_have_their_ink_found(digits, model):
    """A grey ground, which the bare network never saw, is no matter to `predict`."""
    bare, photos = (judge_corrupted([model], str(digits), ["brightness"], 60, as_photos=way) for way in (False, True))
    assert photos[3].errors < 0.7 * bare[3].errors


def test_boxes_of_real_images(model, tmp_path):
    image = np.full((60, 90), 255, np.uint8)
    image[10:50, 20:26] = 0
    image[10:50, 60:66] = 0
    save_picture(tmp_path / "line.png", image)
    (tmp_path / "boxes.csv").write_text("file,digit,x,y,width,height\nline.png,1,10,5,25,50\nline.png,8,50,5,25,50\n")
    (judged,) = judge_boxes([model], tmp_path)
    assert (judged.errors, judged.images) == (1, 2)
    large = np.full((1800, 2700), 255, np.uint8)  # decoded at half of its size
    large[300:1500, 600:780] = 0
    large[300:1500, 1800:1980] = 0
    cv2.imwrite(str(tmp_path / "large.jpg"), large)
    rows = "large.jpg,1,300,150,750,1500\nlarge.jpg,8,1500,150,750,1500\n"
    (tmp_path / "boxes.csv").write_text("\ufefffile,digit,x,y,width,height\n" + rows, "utf-8")
    assert judge_boxes([model], tmp_path)[0].errors == 1
    (tmp_path / "boxes.csv").write_text("file,digit,x,y,width,height\nline.png,1,200,5,25,50\n")
    with pytest.raises(DatasetError, match=r"line\.png: box \(200, 5, 25, 50\) lies outside"):
        judge_boxes([model], tmp_path)
    (tmp_path / "boxes.csv").write_text("file,digit\nline.png,1\n")
    with pytest.raises(DatasetError, match="wanted columns file, digit, x"):
        judge_boxes([model], tmp_path)


def test_other_classes_are_refused(tmp_path, model):
    np.savez(tmp_path / "two.npz", images=np.zeros((4, 28, 28), np.uint8), labels=np.array([0, 1, 0, 1]))
    with pytest.raises(ModelError, match="wanted 0, 1 of two"):
        judge_corrupted([model], str(tmp_path / "two.npz"))


def test_a_model_of_whole_images_is_shown_them_in_its_shape(grey_bundle, tmp_path):
    """A folder's images may have any size, and colour; a model of another shape gets its own beside it."""
    rng = np.random.default_rng(0)
    for place, label in enumerate("01"):
        (tmp_path / "sides" / label).mkdir(parents=True)
        for number in range(6):
            image = rng.integers(0, 60, (24 + number, 16 + 2 * number, 3), np.uint8)
            half = image.shape[1] // 2
            image[:, place * half : (place + 1) * half] += 180
            cv2.imwrite(str(tmp_path / "sides" / label / f"{number}.png"), image)
    bundle = shutil.copytree(grey_bundle, tmp_path / "bundle")
    card = json.loads((bundle / "card.json").read_text())
    (bundle / "card.json").write_text(json.dumps({**card, "labels": ["0", "1"]}))  # turned: all wrong
    crops = shutil.copytree(bundle, tmp_path / "crops")
    (crops / "card.json").write_text(json.dumps({**card, "labels": ["0", "1"], "name": "crops", "geometry": "crop"}))
    models = [Recognizer.load(bundle), Recognizer.load(crops)]
    for as_photos in (False, True):
        judged = judge_corrupted(models, str(tmp_path / "sides"), ["brightness"], as_photos=as_photos)
        assert {(one.model, one.images) for one in judged} == {("sides", 12), ("crops", 12)}
        assert judged[0].errors == judged[1].errors == 12


def test_a_model_of_colours_is_refused_at_once(model):
    told = []
    two = [model, SimpleNamespace(card=replace(model.card, name="coloured", input_shape=(28, 28, 3)))]
    with pytest.raises(ModelError, match=r"coloured: takes images in colour, \(28, 28, 3\); wanted"):
        judge_corrupted(two, "nowhere", say=told.append)  # before the data is looked for
    with pytest.raises(ModelError, match="digits-line: reads whole lines; wanted"):
        judge_corrupted([Recognizer.load("digits-line")], "nowhere", say=told.append)
    assert told == []


def test_photos_in_colour_are_shown_in_grey(digits, model, tmp_path):
    with np.load(digits) as archive:
        colour = np.repeat(archive["images"][..., None], 3, -1)
        np.savez(tmp_path / "colour.npz", images=colour, labels=archive["labels"])
    grey, shown = (
        judge_corrupted([model], str(path), ["fog"], 20, as_photos=True) for path in (digits, tmp_path / "colour.npz")
    )
    assert [one.errors for one in grey] == [one.errors for one in shown]
