"""The stages of an answer are timed one by one, and together are about the whole."""

import json

import cv2
import pytest

from glyphlite.benchmarks.stages import WHOLE, time_stages
from glyphlite.runtime import Recognizer
from glyphlite.runtime.bundle import samples_folder


@pytest.fixture(scope="module")
def sample():
    return samples_folder() / "4-squared.png"


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (False, ["decode", "ink", "rules", "layout", "glyph", "engine", WHOLE]),
        (True, ["decode", "ink", "rules", "layout", "reader", WHOLE]),
    ],
)
def test_every_stage_is_timed_and_the_answer_told(sample, read, names):
    answer, stages = time_stages(Recognizer.load("digits-edge"), sample.read_bytes(), read, budget_s=0.2)
    assert answer == "4"
    assert [stage.name for stage in stages] == names
    assert stages[-1].share == 1
    assert all(stage.latency.p50 > 0 for stage in stages)
    assert stages[0].share < 1


def test_both_readers_together_have_stages_too(sample):
    answer, stages = time_stages(Recognizer.load("digits-line"), sample.read_bytes(), read=True, budget_s=0.2)
    assert answer == "4" and stages[-2].name == "reader"


def test_an_image_classifier_has_its_own_stages(colour_model, colour_folder):
    data = next((colour_folder / "red-top").glob("*.png")).read_bytes()
    answer, stages = time_stages(Recognizer.load(colour_model), data, read=False, budget_s=0.2)
    assert answer == "3"
    assert [stage.name for stage in stages] == ["decode", "resize", "engine", WHOLE]


def test_the_command(glyphlite, sample, tmp_path, monkeypatch):
    monkeypatch.setattr("glyphlite.benchmarks.stages.BUDGET_S", 0.1)
    code, out, _ = glyphlite("bench", "stages", sample)
    assert code == 0 and out.startswith(f"{sample}: 4 (")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "decode", "ink", "rules", "layout", "glyph", "engine", "rest", "whole",
    ]  # fmt: skip
    code, out, _ = glyphlite("bench", "stages", sample, "--read", "--json")
    assert json.loads(out)[0]["answer"] == "4"
    code, _, err = glyphlite("bench", "stages", tmp_path / "gone.png")
    assert code == 2 and "gone.png: cannot be read" in err
    blank = tmp_path / "blank.png"
    cv2.imwrite(str(blank), 255 * cv2.UMat(40, 40, cv2.CV_8U).get())
    assert glyphlite("bench", "stages", blank)[1].startswith(f"{blank}: no answer")
