"""Pages: the truth agrees with the picture, the seed decides, what is asked for is what is drawn."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime import DatasetError
from glyphlite.train.cli import data
from glyphlite.train.datasets import Dataset
from glyphlite.train.mixture import DIGITS
from glyphlite.train.pages import PageOptions, compose, pages, save_pages
from glyphlite.train.strokes import digit_glyphs

CLEAN = PageOptions(light=0, noise=0, blur=0, flow=1)


@pytest.fixture(scope="module")
def digits():
    """200 drawn digits, as a data set."""
    images, labels = digit_glyphs(200, np.random.default_rng(0))
    return Dataset("drawn", "train", images, labels, DIGITS)


def ink_of(page):
    """(H, W) bool: clearly darker than the paper."""
    grey = cv2.cvtColor(page.image, cv2.COLOR_BGR2GRAY)
    return grey < 150


def pieces(page):
    """How many connected pieces of some size there are."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(ink_of(page).astype(np.uint8))
    return int((stats[1:, cv2.CC_STAT_AREA] > 20).sum()) if count > 1 else 0


def test_every_box_holds_ink_and_nothing_is_outside(digits):
    for page in pages(10, digits, replace(CLEAN, separators=0.3, lines=2), seed=1):
        ink, covered = ink_of(page), np.zeros(page.image.shape[:2], bool)
        for mark in page.marks:
            x, y, width, height = mark.box
            assert ink[y : y + height, x : x + width].any()
            covered[max(y - 2, 0) : y + height + 2, max(x - 2, 0) : x + width + 2] = True
        assert not (ink & ~covered).any()


def test_the_text_is_what_the_marks_say(digits):
    page = compose(digits, replace(CLEAN, lines=3, separators=0.5), np.random.default_rng(0))
    lines = page.text.split("\n")
    assert len(lines) == 3
    for number, line in enumerate(lines):
        assert line == "".join(m.label for m in page.marks if m.line == number and m.label in DIGITS)
        assert 4 <= len(line) <= 6
    assert any(mark.label not in DIGITS for mark in page.marks)


def test_touching_digits_touch_and_others_do_not(digits):
    options = replace(CLEAN, digits=(2, 2))
    apart = [pieces(page) for page in pages(20, digits, options, seed=0)]
    together = [pieces(page) for page in pages(20, digits, replace(options, touching=1.0), seed=0)]
    assert np.mean(apart) > 1.9
    assert np.mean(together) < np.mean(apart) - 0.6


def test_the_seed_decides(digits):
    first, again = (next(iter(pages(1, digits, PageOptions(), seed=3))) for _ in range(2))
    other = next(iter(pages(1, digits, PageOptions(), seed=4)))
    assert np.array_equal(first.image, again.image) and first == replace(again, image=first.image)
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


def test_boxes_follow_turn_and_perspective(digits):
    for page in pages(5, digits, replace(CLEAN, rotation=8, perspective=0.03), seed=2):
        ink = ink_of(page)
        for mark in page.marks:
            x, y, width, height = mark.box
            assert ink[max(y, 0) : y + height, max(x, 0) : x + width].mean() > 0.03


@pytest.mark.parametrize(
    "effect",
    [{"rules": "lines"}, {"rules": "squares"}, {"pattern": "waves"}, {"pattern": "guilloche"}, {"shadow": 0.4},
     {"jpeg": 40}, {"noise": 20}, {"blur": 2}],
    ids=str,
)  # fmt: skip
def test_every_effect_changes_the_picture_and_not_the_truth(digits, effect):
    plain, changed = (compose(digits, o, np.random.default_rng(0)) for o in (PageOptions(), PageOptions(**effect)))
    assert changed.text == plain.text and changed.marks == plain.marks
    assert not np.array_equal(changed.image, plain.image)


def test_chalk_is_bright_on_dark(digits):
    page = compose(digits, PageOptions(chalk=True), np.random.default_rng(0))
    assert np.median(page.image) < 90 < 180 < np.percentile(page.image, 99)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"touching": 1.5}, "touching 1.5; wanted 0 to 1"), ({"digits": (3, 2)}, r"digits \(3, 2\)"),
     ({"rules": "dots"}, "rules 'dots'; wanted one of '', 'lines', 'squares'"), ({"height": 2}, "height 2")],
)  # fmt: skip
def test_options_out_of_range(wrong, reason):
    with pytest.raises(ValueError, match=reason):
        PageOptions(**wrong)


def test_a_folder_of_pages(digits, tmp_path):
    save_pages(tmp_path / "pages", digits, 3, PageOptions(), seed=0)
    with (tmp_path / "pages" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (tmp_path / "pages" / "boxes.csv").open() as file:
        boxes = list(csv.DictReader(file))
    assert len(rows) == 3
    for row in rows:
        assert cv2.imread(str(tmp_path / "pages" / row["file"])) is not None
        assert "".join(box["label"] for box in boxes if box["file"] == row["file"]) == row["text"]
    with pytest.raises(DatasetError, match="not empty"):
        save_pages(tmp_path / "pages", digits, 1, PageOptions(), seed=0)


def test_the_command_makes_pages(digits, tmp_path):
    np.savez(tmp_path / "digits.npz", images=digits.images, labels=digits.labels)
    arguments = ["pages", str(tmp_path / "out"), "--data", str(tmp_path / "digits.npz"), "--count", "2"]
    done = CliRunner().invoke(data, [*arguments, "--digits", "2,3", "--rules", "lines", "--touching", "0.5"])
    assert done.exit_code == 0, done.output
    assert "wrote 2 pages" in done.output
    assert len(list((tmp_path / "out").glob("*.png"))) == 2
    done = CliRunner().invoke(data, [*arguments, "--digits", "many"])
    assert done.exit_code == 2
