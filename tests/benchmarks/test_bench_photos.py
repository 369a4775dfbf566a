"""Photos judged: labels read, texts compared, failures shown, steps switched."""

import csv
import json
import shutil
import time

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.benchmarks.photos import (
    Outcome,
    Photo,
    contact_sheet,
    distance,
    judge_photos,
    kept,
    load_photos,
    summarise,
)
from glyphlite.benchmarks.readers import Reader, judge_beside, open_readers
from glyphlite.runtime import DatasetError, ModelError, Recognizer
from glyphlite.runtime.bundle import samples_folder, shipped_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three shipped samples, one of them labelled wrong, and a file that is no image."""
    made = tmp_path_factory.mktemp("photos")
    rows = [("0-marker.png", "0"), ("4-pencil.png", "4"), ("7-crossed.png", "1"), ("broken.png", "5")]
    for name, _ in rows[:3]:
        (made / name).write_bytes((samples_folder() / name).read_bytes())
    (made / "broken.png").write_bytes(b"no image")
    with (made / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file", "text"), *rows])
    return made


@given(st.text("abc", max_size=6), st.text("abc", max_size=6))
def test_the_distance_is_a_metric_and_bounded(first, second):
    assert distance(first, second) == distance(second, first)
    assert (distance(first, second) == 0) == (first == second)
    assert abs(len(first) - len(second)) <= distance(first, second) <= max(len(first), len(second))


@pytest.mark.parametrize(("first", "second", "far"), [("kitten", "sitting", 3), ("123", "1234", 1), ("", "12", 2)])
def test_the_distance_of_known_texts(first, second, far):
    assert distance(first, second) == far


def test_right_wrong_and_broken(folder):
    outcomes = judge_photos(Recognizer.load(), load_photos(folder))
    assert [outcome.right for outcome in outcomes] == [True, True, False, False]
    assert outcomes[2].got == "7"
    summary = summarise(outcomes)
    assert (summary.right, summary.total) == (2, 4)
    assert 0 < summary.low < 0.5 < summary.high < 1
    assert summary.character_error_rate == 0.5  # one is misread, one is not read at all
    assert (outcomes[3].got, outcomes[3].distance) == ("", 1) and "no image" in outcomes[3].reason


def test_words_are_asked_of_predict_where_they_are_one_answer(folder, grey_bundle, tmp_path):
    """Of a model of whole images all are; of a character model those that are its labels."""
    photos = shutil.copytree(folder, tmp_path / "photos")
    (photos / "labels.csv").write_text("file,text\n0-marker.png,zebra\n4-pencil.png,horse\n")
    card = json.loads((grey_bundle / "card.json").read_text())
    whole = shutil.copytree(grey_bundle, tmp_path / "whole")
    (whole / "card.json").write_text(json.dumps({**card, "labels": ["zebra", "two words"]}))
    outcomes = judge_photos(Recognizer.load(whole), load_photos(photos))
    assert {one.got for one in outcomes} <= {"zebra", "twowords"} and all(one.probability > 0.4 for one in outcomes)
    with pytest.raises(ModelError, match="takes whole images"):
        judge_photos(Recognizer.load(whole), load_photos(photos), always_read=True)
    named = shutil.copytree(shipped_models()["digits-edge"], tmp_path / "named")
    card = json.loads((named / "card.json").read_text())
    (named / "card.json").write_text(json.dumps({**card, "labels": ["zero", *"123", "four", *"56789"]}))
    (photos / "labels.csv").write_text("file,text\n0-marker.png,zero\n4-pencil.png,four\n")
    assert [one.got for one in judge_photos(Recognizer.load(named), load_photos(photos))] == ["zero", "four"]


def test_separators_and_spaces_do_not_count():
    assert kept("12.070,-\n 3") == "120703"
    assert Outcome(Photo(None, "1.000"), "1000", 0, 0.1).right
    assert (kept("+"), kept("÷ "), kept(" \n")) == ("+", "÷", "")
    assert not Outcome(Photo(None, "+"), "", 1, 0.1).right  # a sign that was refused


def test_every_other_row(folder):
    assert [photo.path.name for photo in load_photos(folder, every=2)] == ["0-marker.png", "7-crossed.png"]


def test_failures_are_shown_and_success_is_not(folder):
    outcomes = judge_photos(Recognizer.load(), load_photos(folder))
    sheet = contact_sheet(outcomes)
    assert sheet.shape[2] == 3 and sheet.min() < 100
    assert contact_sheet([outcome for outcome in outcomes if outcome.right]) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read"),
        ("name,label\na,b\n", "columns name, label; wanted file, text"),
        ("file,text\n", "none"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "labels.csv").write_text(content)
    with pytest.raises(DatasetError, match=reason):
        load_photos(tmp_path)


def test_labels_as_a_spreadsheet_saves_them(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "labels.csv").write_text("\ufefffile,text\n1.png,7\n", "utf-8")  # with a byte order mark
    assert [(photo.file, photo.text) for photo in load_photos(tmp_path)] == [("1.png", "7")]
    (tmp_path / "labels.csv").write_text("file,text\n1.png,7\n2.png\n")
    with pytest.raises(DatasetError, match=r"labels\.csv: line 3 has no text; wanted file, text"):
        load_photos(tmp_path)


def test_a_photo_that_is_not_there_is_named(tmp_path):
    (tmp_path / "labels.csv").write_text("file,text\nlost.png,1\n")
    with pytest.raises(DatasetError, match=r"lost\.png, which is not there"):
        load_photos(tmp_path)


def test_a_folder_of_the_data_is_found_by_its_name(folder, glyphlite, monkeypatch):
    monkeypatch.setenv("GLYPHLITE_DATA", str(folder.parent))
    _, out, _ = glyphlite("bench", "photos", folder.name)
    assert f" of {len(load_photos(folder))} " in out
    code, _, err = glyphlite("bench", "photos", "gone")
    assert code == 2 and "gone: no such data set" in err


def test_the_command_judges_and_ablates(folder, tmp_path, glyphlite):
    code, out, _ = glyphlite("bench", "photos", folder, "--out", tmp_path / "out")
    assert code == 0 and "2 of 4" in out
    assert cv2.imread(str(tmp_path / "out" / "failures.png")) is not None
    with (tmp_path / "out" / "outcomes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["right"] for row in rows] == ["1", "1", "0", "0"]
    assert rows[3]["file"] == "broken.png" and rows[3]["reason"] and not rows[0]["reason"]
    code, _, err = glyphlite("bench", "photos", folder, "--model", "digits-line")
    assert code == 2 and "reads whole lines" in err  # no misread photo
    code, _, err = glyphlite("bench", "photos", folder, "--read", "--expect", "\\d{")
    assert code == 2 and "it ends too soon" in err
    code, _, err = glyphlite("bench", "photos", folder, "--peers", "--ablate")
    assert code == 2 and "--ablate is of one reader" in err
    _, out, _ = glyphlite("bench", "photos", folder, "--read", "--expect", "x", "--ablate", "--json")
    assert json.loads(out)["as it is"]["right"] == 0
    _, out, _ = glyphlite("bench", "photos", folder, "--ablate", "--json")
    result = json.loads(out)
    assert result["as it is"]["right"] == 2
    assert result["with squeeze"]["right"] <= 2
    assert np.isfinite(result["without rules"]["milliseconds"])


def test_the_command_tells_which_may_be_trusted(folder, tmp_path, glyphlite):
    photos = shutil.copytree(folder, tmp_path / "photos")
    rows = (
        "file,text",
        "0-marker.png,6",
        "4-pencil.png,4",
        "7-crossed.png,7",
        "broken.png,5",
    )  # the least sure is wrong
    (photos / "labels.csv").write_text("\n".join(rows))
    code, out, _ = glyphlite("bench", "photos", photos, "--coverage", "--out", tmp_path / "out")
    assert code == 0
    assert "of these right" in out
    assert "99 % right" in out
    assert cv2.imread(str(tmp_path / "out" / "coverage.png")) is not None
    _, out, _ = glyphlite("bench", "photos", folder, "--coverage", "--read", "--json")
    found = json.loads(out)
    assert found["curve"][0]["coverage"] == 0.75  # nothing is read of the file that is no image


def test_the_command_parts_them_by_length(folder, glyphlite):
    _, out, _ = glyphlite("bench", "photos", folder, "--by-length")
    assert out.splitlines()[1].split()[:5] == ["1", "characters", "2", "of", "4"]
    _, out, _ = glyphlite("bench", "photos", folder, "--by-length", "--json")
    assert {length: row["total"] for length, row in json.loads(out)["by_length"].items()} == {"1": 4}


def test_other_readers_are_judged_in_turn_where_they_are_installed(glyphlite, folder):
    readers, skipped = open_readers()
    assert {one.name.split()[0] for one in readers} | {one.artifact for one in skipped} == {"RapidOCR", "Tesseract"}
    code, out, err = glyphlite("bench", "photos", folder, "--peers", "--json")
    assert code == 0
    told = json.loads(out)
    assert told["ours"]["right"] == 2
    assert [row["reader"] for row in told["peers"]] == [reader.name for reader in readers]
    assert all(row["total"] == 4 and row["ratio"] > 0 for row in told["peers"])
    assert all(f"skipped {one.artifact}: not installed" in err for one in skipped)


def test_a_reader_is_timed_beside_ours_on_each_photo(folder):
    slow = Reader("slow", lambda photo: time.sleep(0.3) or f"{photo.text}\n")
    ours, (beside,) = judge_beside(Recognizer.load(), [slow], load_photos(folder), always_read=False)
    assert (ours.right, beside.summary.right, beside.name) == (2, 4, "slow")
    assert beside.summary.milliseconds >= 300
