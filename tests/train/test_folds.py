"""Folds: every line is judged once, by a network that did not learn from it; suspect labels are listed."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from glyphlite.runtime import DatasetError, TrainingError
from glyphlite.runtime.strip_reader import StripReader
from glyphlite.train.config import TrainingConfig
from glyphlite.train.folds import cross_validate, suspects
from glyphlite.train.line_training import fit_lines
from glyphlite.train.lines import read_lines_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve photos of printed numbers with their labels."""
    folder = tmp_path_factory.mktemp("photos")
    rows = ["file,text"]
    for number in range(12):
        image = np.full((100, 300), 240, np.uint8)
        cv2.putText(image, f"{37 * number + 100}", (30, 75), cv2.FONT_HERSHEY_SIMPLEX, 2, 20, 5, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"{number}.png"), image)
        rows.append(f"{number}.png,{37 * number + 100}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture
def config(folder):
    return TrainingConfig("line_cnn", str(folder), width=0.1, epochs=1, batch_size=4, augment="none")


def test_every_line_is_judged_once(config, tmp_path):
    said = []
    folds = cross_validate(config, 3, tmp_path, False, said.append)
    assert [fold.total for fold in folds] == [4, 4, 4]
    rows = list(csv.DictReader((tmp_path / "lines.csv").open()))
    assert [row["text"] for row in rows] == [f"{37 * n + 100}" for n in range(12)]
    assert sorted(row["fold"] for row in rows) == sorted("123" * 4)
    result = json.loads((tmp_path / "folds.json").read_text())
    assert result["mean"] == pytest.approx(np.mean([fold.accuracy for fold in folds]))
    assert sum(row["got"] == row["text"] for row in rows) == sum(fold.right for fold in folds)
    assert any(line.startswith("3 folds: ") for line in said)
    networks = {(tmp_path / f"fold-{n}" / "model.keras").read_bytes() for n in (1, 2, 3)}
    assert len(networks) == 3
    with pytest.raises(TrainingError, match="was begun with seed 0, not 1"):
        cross_validate(replace(config, seed=1), 3, tmp_path, False, said.append)
    with pytest.raises(TrainingError, match="was begun with other data"):
        cross_validate(config, 2, tmp_path, False, said.append)
    before = len(said)
    assert cross_validate(config, 3, tmp_path, False, said.append) == folds
    assert not any("to train on" in line for line in said[before:])


def test_suspects_are_labels_that_are_surely_contradicted():
    texts = ("12", "34", "56", "78")
    readings = [
        ("12", 0.99),  # as the label says
        ("84", 0.8),
        ("50", 0.2),  # not sure
        ("18", 0.95),
    ]
    assert suspects(texts, readings) == [3, 1]


def test_a_wrong_label_is_listed_with_its_picture(config, tmp_path, monkeypatch):
    lines = read_lines_folder(Path(config.data))
    read = {strip.tobytes(): text for strip, text in zip(lines.strips, lines.texts, strict=True)}
    read[lines.strips[5].tobytes()] = "999"  # what every network would see in line 5
    monkeypatch.setattr(StripReader, "read", lambda self, strip, separators: (read[strip.tobytes()], 0.9))
    folds = cross_validate(config, 3, tmp_path, False, lambda line: None)
    assert sum(fold.right for fold in folds) == 11
    (row,) = csv.DictReader((tmp_path / "suspects.csv").open())
    assert row == {"file": lines.files[5], "text": lines.texts[5], "got": "999", "probability": "0.900"}
    assert cv2.imread(str(tmp_path / "suspects.png")) is not None


def test_folds_want_a_folder_and_enough_lines(config, tmp_path, folder):
    with pytest.raises(TrainingError, match="edge: folds judge readers of lines; wanted line_cnn or crnn"):
        cross_validate(replace(config, arch="edge"), 3, tmp_path, False, lambda line: None)
    with pytest.raises(TrainingError, match="12 lines for 13 folds"):
        cross_validate(config, 13, tmp_path, False, lambda line: None)
    with pytest.raises(TrainingError, match="add_data 'kept': has no meaning for lines"):
        cross_validate(replace(config, add_data="kept"), 2, tmp_path, False, lambda line: None)
    with pytest.raises(DatasetError, match="not there"):
        cross_validate(TrainingConfig("line_cnn", str(tmp_path / "gone")), 2, tmp_path, False, lambda line: None)


def test_a_character_that_the_reader_does_not_know_is_named(config, folder, tmp_path):
    lines = read_lines_folder(folder)
    fit_lines(config, lines, lines, tmp_path / "run", say=lambda line: None)
    strange = replace(lines, texts=("1x", *lines.texts[1:]))
    more = replace(config, start=str(tmp_path / "run"))
    with pytest.raises(DatasetError, match=r"0\.png: 'x' in '1x'; the reader knows 0123456789"):
        fit_lines(more, strange, lines, tmp_path / "more")
