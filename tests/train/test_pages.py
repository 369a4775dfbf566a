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

CLEAN = PageOptions(texture=0, light=0, noise=0, blur=0, flow=1)


@pytest.fixture(scope="module")
def digits():
    """200 drawn digits, as a data set."""
    images, labels = digit_glyphs(200, np.random.default_rng(0))
    return Dataset("drawn", "train", images, labels, DIGITS)


def rng():
    return np.random.default_rng(0)


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


@pytest.fixture(scope="module")
def whole(digits):
    """Those of one piece, which a page leaves in one piece."""
    alone = [
        pieces(compose(digits.subset(slice(n, n + 1)), replace(CLEAN, digits=(1, 1)), np.random.default_rng(0)))
        for n in range(len(digits))
    ]
    return digits.subset(np.flatnonzero(np.array(alone) == 1))


@pytest.mark.parametrize("height", [16.0, 56.0])
def test_touching_digits_touch_and_others_do_not(whole, height):
    options = replace(CLEAN, digits=(2, 2), height=height, jitter=0, aspect=0, slant=0)
    assert [pieces(page) for page in pages(25, whole, options, seed=0)] == [2] * 25
    assert [pieces(page) for page in pages(25, whole, replace(options, touching=1.0), seed=0)] == [1] * 25


def test_specks_of_a_scan_are_left_out():
    speck = np.zeros((1, 28, 28), np.uint8)
    speck[:, 4:24, 12:16], speck[:, 10:12, 4:6] = 255, 255
    page = compose(Dataset("ones", "train", speck, np.array([1]), DIGITS), replace(CLEAN, digits=(1, 1)), rng())
    assert pieces(page) == 1


def test_numbers_of_a_line_are_far_apart(digits):
    options = replace(CLEAN, digits=(2, 2), numbers=3, touching=1.0)
    for page in pages(5, digits, options, seed=0):
        assert len(page.text) == 6
        for before, after in ((1, 2), (3, 4)):
            x, _, width, _ = page.marks[before].box
            assert page.marks[after].box[0] - x - width > 0.8 * options.height


def test_a_glyph_without_ink_is_a_dot():
    blank = Dataset("blank", "train", np.zeros((1, 28, 28), np.uint8), np.array([1]), DIGITS)
    page = compose(blank, replace(CLEAN, digits=(2, 2)), rng())
    assert page.text == "11" and max(page.marks[0].box[2:]) <= 4


def test_a_page_of_a_text_says_it(digits):
    page = compose(digits, CLEAN, rng(), "12.070,- 5=")
    assert page.text == "120705"
    assert "".join(mark.label for mark in page.marks) == "12.070,-5="
    wide = page.marks[8].box[0] - sum(page.marks[7].box[::2])  # the space before the 5
    assert wide > 0.3 * CLEAN.height


def test_strokes_are_thicker_and_thinner_as_asked(whole):
    ink = [
        sum(float(ink_of(page).sum()) for page in pages(10, whole, replace(CLEAN, weight=weight), seed=2))
        for weight in (-0.06, 0.0, 0.06)
    ]
    assert ink[0] < 0.9 * ink[1] < 0.8 * ink[2]


def test_small_zeros_are_small(whole):
    options = replace(CLEAN, small_zeros=1.0, jitter=0)
    for page in (compose(whole, options, np.random.default_rng(seed), "8008") for seed in range(5)):
        heights = [mark.box[3] for mark in page.marks]
        assert max(heights[1:3]) < 0.95 * min(heights[0], heights[3])
        assert page.marks[1].box[1] + heights[1] <= page.marks[0].box[1] + heights[0] + 10


def test_links_join_what_touches(whole):
    options = replace(CLEAN, touching=1.0, links=1.0)
    plain = replace(options, links=0.0)
    for seed in range(5):
        first, second = (compose(whole, o, np.random.default_rng(seed), "0606") for o in (plain, options))
        assert first.text == second.text == "0606"
        assert pieces(second) == 1


def test_the_signs_that_were_asked_for(digits):
    page = compose(digits, replace(CLEAN, digits=(20, 20), separators=1.0, signs="/:"), rng())
    assert {mark.label for mark in page.marks} - set(DIGITS) == {"/", ":"}


@pytest.mark.parametrize(
    "extreme",
    [{"jitter": 0.5}, {"aspect": 0.5}, {"slant": 0.6}, {"drift": 0.3}, {"height": 12.0, "touching": 1.0},
     {"perspective": 0.2}, {"rotation": 45.0}, {"digits": (40, 40)}, {"lines": 6, "jitter": 0.5, "margin": 0.1}],
    ids=str,
)  # fmt: skip
def test_the_truth_holds_at_the_ends_of_the_ranges(digits, extreme):
    for page in pages(5, digits, replace(CLEAN, **extreme), seed=5):
        ink, covered = ink_of(page), np.zeros(page.image.shape[:2], bool)
        rows, columns = covered.shape
        for mark in page.marks:
            x, y, width, height = mark.box
            assert x >= 0 and y >= 0 and x + width <= columns and y + height <= rows
            assert ink[y : y + height, x : x + width].any()
            covered[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1] = True
        assert not (ink & ~covered).any()


def test_rules_turn_with_the_writing(digits):
    """A page that is turned by 20 degrees has no rule that is nearly level."""
    options = PageOptions(light=0, noise=0, texture=0, rules="lines", lines=3, flow=0.05)
    for page in pages(8, digits, replace(options, rotation=20), seed=0):
        (x, y, *_), (end, low, *_) = page.marks[0].box, [m for m in page.marks if m.line == 0][-1].box
        turn = np.degrees(np.arctan2(low - y, end - x))
        if abs(turn) > 8:
            dark = cv2.cvtColor(page.image, cv2.COLOR_BGR2GRAY) < 225
            level = np.lib.stride_tricks.sliding_window_view(dark, 60, axis=1).all(-1)
            assert not level.any(), turn


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
     {"jpeg": 40}, {"noise": 20}, {"blur": 2}, {"texture": 0}],
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
     ({"signs": "+"}, r"signs '\+'; wanted some of"), ({"ink": (0, 0, 300)}, r"ink \(0, 0, 300\)"),
     ({"noise": float("nan")}, "noise nan; wanted 0 to 60"),
     ({"rules": "dots"}, "rules 'dots'; wanted one of '', 'lines', 'squares'"), ({"height": 2}, "height 2")],
)  # fmt: skip
def test_options_out_of_range(wrong, reason):
    with pytest.raises(ValueError, match=reason):
        PageOptions(**wrong)


def test_glyphs_that_are_none(digits):
    with pytest.raises(DatasetError, match="wanted glyphs"):
        next(pages(1, digits.subset(slice(0)), PageOptions(), seed=0))


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


@pytest.mark.parametrize("form", ["underline", "frame", "cells"])
def test_a_form_is_drawn_around_the_writing(digits, form):
    options = replace(CLEAN, digits=(5, 5))
    plain, formed = (compose(digits, replace(options, form=name), rng()) for name in ("", form))
    assert ink_of(formed).sum() > ink_of(plain).sum()
    left = min(mark.box[0] for mark in formed.marks)
    right = max(mark.box[0] + mark.box[2] for mark in formed.marks)
    longest = max(cv2.connectedComponentsWithStats(ink_of(formed).astype(np.uint8))[2][1:, cv2.CC_STAT_WIDTH])
    assert longest > right - left


def test_an_unknown_form_is_named():
    with pytest.raises(ValueError, match="form 'table'; wanted one of"):
        PageOptions(form="table")
