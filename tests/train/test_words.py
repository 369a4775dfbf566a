"""Words composed of single letters that know which word is theirs."""

import csv

import cv2
import numpy as np
import pytest

from glyphlite.runtime import DatasetError
from glyphlite.train.lines import found_strip
from glyphlite.train.words import main, save_words, word_picture


def letters(count):
    """(count, 16, 8) of upright bars, one further to the right in each."""
    images = np.zeros((count, 16, 8), np.uint8)
    for index, image in enumerate(images):
        image[2:14, index % 4 : index % 4 + 3] = 1
    return images


def test_words_become_pictures_and_tables(tmp_path):
    source = tmp_path / "letters.npz"
    np.savez(source, images=letters(7), labels=[0, 1, 0, 1, 2, 3, 4], word_id=[1, 1, 2, 2, 2, 3, 3],
             is_test=[False] * 5 + [True] * 2)  # fmt: skip
    assert save_words(source, tmp_path / "out") == (2, 1)
    rows = list(csv.DictReader((tmp_path / "out" / "train" / "labels.csv").open()))
    assert rows == [{"file": "00000.png", "text": "ab"}, {"file": "00001.png", "text": "abc"}]
    assert (tmp_path / "out" / "words.txt").read_text() == "ab\nabc\nde\n"
    picture = cv2.imread(str(tmp_path / "out" / "test" / "00000.png"), cv2.IMREAD_GRAYSCALE)
    assert found_strip(picture) is not None


def test_letters_stand_apart():
    picture = word_picture(letters(3))
    assert cv2.connectedComponents((picture < 128).astype(np.uint8))[0] - 1 == 3
    assert picture[0].min() == 255


def test_another_file_is_named(tmp_path):
    np.savez(tmp_path / "x.npz", images=letters(1))
    with pytest.raises(DatasetError, match=r"x\.npz: no letters of words"):
        save_words(tmp_path / "x.npz", tmp_path / "out")
    np.savez(tmp_path / "x.npz", images=letters(2), labels=[0, 26], word_id=[0, 0], is_test=[0, 0])
    with pytest.raises(DatasetError, match=r"labels of int64 \(2,\), .*; wanted as many letters by number, 0 to 25"):
        save_words(tmp_path / "x.npz", tmp_path / "out")


def test_the_command_names_another_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "x.txt").write_text("hello")
    monkeypatch.setattr("sys.argv", ["words", str(tmp_path / "x.txt"), str(tmp_path / "out")])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "x.txt: no letters of words" in capsys.readouterr().err
