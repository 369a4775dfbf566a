"""Refusals judged: characters and others counted, and the curve that a moved operating point follows."""

import json

import cv2
import numpy as np
import pytest

from glyphlite.benchmarks.refusals import Answers, by_predict, by_read, curve, judge_made, judge_others
from glyphlite.runtime import DatasetError, Recognizer
from glyphlite.runtime.bundle import samples_folder
from glyphlite.train.scribbles import KINDS
from glyphlite.train.strokes import digit_glyphs


def answers(confidences, right=None):
    confidences = np.array(confidences, float)
    return Answers("x", confidences >= 0.5, confidences, None if right is None else np.array(right))


def test_the_curve_counts_by_hand():
    characters = answers([0.95, 0.85, 0.45, 0.0], [True, True, False, False])
    points = {point.min_confidence: point for point in curve(characters, [answers([0.97, 0.2]), answers([0.05, 0.0])])}
    assert points[0.0].coverage == 0.75  # what has no answer at all is refused at any threshold
    assert points[0.0].accuracy == pytest.approx(2 / 3)
    assert points[0.5].accuracy == 1 and points[0.5].coverage == 0.5
    assert points[0.0].refused == 0.25 and points[0.3].refused == 0.75 and points[0.98].refused == 1
    coverages = [point.coverage for point in points.values()]
    assert coverages == sorted(coverages, reverse=True)


def test_every_kind_is_made_and_most_are_refused():
    found = judge_made(by_predict(Recognizer.load()), each=5)
    assert {one.kind for one in found} == {*KINDS, "noise", "smooth texture", "blank paper"}
    assert all(len(one.answered) == 5 for one in found)
    assert np.mean([one.refused / 5 for one in found]) > 0.85


def test_a_folder_and_a_data_set_of_others(tmp_path, monkeypatch):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 40), 250, np.uint8))
    assert judge_others(by_predict(Recognizer.load()), str(tmp_path), [], 100).refused == 3
    monkeypatch.setenv("GLYPHLITE_DATA", str(tmp_path.parent))
    assert judge_others(by_predict(Recognizer.load()), tmp_path.name, [], 100).refused == 3
    images, labels = digit_glyphs(20, np.random.default_rng(0))
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    kept = judge_others(by_predict(Recognizer.load()), str(tmp_path / "digits.npz"), ["0", "1"], 100)
    assert len(kept.answered) == int((labels > 1).sum())
    with pytest.raises(DatasetError, match="no class 'A'"):
        judge_others(by_predict(Recognizer.load()), str(tmp_path / "digits.npz"), ["A"], 100)


def test_by_read_blank_paper_is_refused_and_a_digit_answered():
    ask = by_read(Recognizer.load("digits-edge"))
    blank = ask(np.full((60, 60), 250, np.uint8))
    assert (blank.text, blank.answered, blank.confidence) == ("", False, 0.0)
    seven = ask(samples_folder() / "7-crossed.png")
    assert (seven.text, seven.answered) == ("7", True)
    assert 0.3 < seven.confidence <= 1


def test_the_command_prints_and_draws(tmp_path, glyphlite, monkeypatch):
    monkeypatch.setattr("glyphlite.benchmarks.refusals.MADE_EACH", 2)
    images, labels = digit_glyphs(40, np.random.default_rng(1))
    np.savez(tmp_path / "digits.npz", images=images, labels=labels)
    arguments = ("bench", "refusals", "--data", tmp_path / "digits.npz", "--out", tmp_path / "out")
    code, out, _ = glyphlite(*arguments)
    assert code == 0
    assert "others refused" in out and "scribble" in out
    assert cv2.imread(str(tmp_path / "out" / "coverage.png")) is not None
    _, out, _ = glyphlite(*arguments, "--read", "--json")
    assert json.loads(out)["refusals"][0]["images"] == 40
    _, out, _ = glyphlite(*arguments, "--json")
    assert json.loads(out)["refusals"][0]["images"] == 40
