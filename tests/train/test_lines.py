"""Lines: what is made says what it shows, the same for the same seed; files and folders of lines are read back."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from glyphlite.runtime import DatasetError
from glyphlite.runtime.geometry import STRIP_HEIGHT
from glyphlite.runtime.strip import padded
from glyphlite.train.cli import data
from glyphlite.train.datasets import Dataset
from glyphlite.train.line_batches import FRAME, LINE_AUGMENTATIONS, LineBatches, encode, without_too_long
from glyphlite.train.lines import (
    CROSSED_SEVEN,
    FLAGGED_ONE,
    Lines,
    is_lines,
    line_text,
    load_lines,
    make_lines,
    read_lines_folder,
    save_lines,
)
from glyphlite.train.mixture import DIGITS
from glyphlite.train.strokes import digit_glyphs


@pytest.fixture(scope="module")
def digits():
    """600 drawn digits, as a data set."""
    images, labels = digit_glyphs(600, np.random.default_rng(0))
    return Dataset("drawn", "train", images, labels, DIGITS)


@pytest.fixture(scope="module")
def made(digits):
    """36 lines: strips, texts, held out or not."""
    return list(make_lines(digits, 36, seed=3, workers=1))


@pytest.fixture
def lines(made):
    return Lines("made", [strip for strip, _, _ in made], tuple(text for _, text, _ in made), tuple("-,./0123456789:"))


def test_texts_are_numbers_amounts_and_dates():
    texts = [line_text(np.random.default_rng(seed)) for seed in range(2000)]
    assert set("".join(texts)) == set("0123456789.,-/:= ?")
    lengths = [sum(c.isdigit() for c in text) for text in texts]
    assert min(lengths) == 0 and max(lengths) == 10
    assert 0.02 < np.mean([set(text) == {"?"} for text in texts]) < 0.07


def test_the_same_seed_makes_the_same_lines(digits, made):
    again = list(make_lines(digits, 12, seed=3, workers=1))
    for (strip, text, held), (other, same, as_well) in zip(made, again, strict=False):
        assert (strip == other).all() and text == same and held == as_well
    assert any(len(text) for _, text, _ in made)
    other = [text for _, text, _ in make_lines(digits, 12, seed=4, workers=1)]
    assert other != [text for _, text, _ in again]


def test_european_digits_and_silent_signs_are_labelled_as_what_they_say(made):
    assert not set("".join(text for _, text, _ in made)) & {"?", "=", FLAGGED_ONE, CROSSED_SEVEN}


def test_strips_are_bright_ink_on_black_as_wide_as_their_text(made):
    for strip, text, _ in made:
        assert strip.shape[0] == STRIP_HEIGHT and strip.dtype == np.uint8
        assert strip.max() > 200 and np.median(strip) < 60
        assert strip.shape[1] >= 4 * len(text)
    assert sum(held for _, _, held in made) == 3


def test_a_file_of_lines_is_read_back(made, tmp_path):
    path = tmp_path / "lines.npz"
    strips, texts, held_out = zip(*made, strict=True)
    save_lines(path, strips, texts, held_out)
    assert is_lines(path)
    train, held = load_lines(path, 0.5, 0)
    assert len(train) == 33 and len(held) == 3
    assert held.texts == tuple(text for _, text, out in made if out)
    assert all((a == b).all() for a, b in zip(held.strips, [s for s, _, out in made if out], strict=True))
    assert train.classes == held.classes == tuple(sorted(set("".join(texts))))
    assert train.sha256() != held.sha256()


def test_a_folder_of_photos_with_labels(tmp_path):
    for number, text in enumerate(("12", "A7", "none")):
        image = np.full((120, 260), 240, np.uint8)
        if text != "none":
            cv2.putText(image, text, (30, 90), cv2.FONT_HERSHEY_SIMPLEX, 2.5, 20, 6, cv2.LINE_AA)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    (tmp_path / "labels.csv").write_text("file,text\n0.png,12\n1.png,A7\n2.png,1\n")
    said = []
    lines = read_lines_folder(tmp_path, said.append)
    assert is_lines(tmp_path) and lines.texts == ("12", "A7") and lines.classes == tuple("127A")
    assert said == ["1 of 3 images hold no line that is found: 2.png"]


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ("name,text\na.png,1\n", "columns name, text; wanted file, text"),
        ("", "columns none; wanted file, text"),
        ("file,text\ngone.png,1\n", "gone.png"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(tmp_path, table, wanted):
    (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(DatasetError, match=wanted):
        read_lines_folder(tmp_path)


def test_a_damaged_file_is_no_file_of_lines(tmp_path):
    path = tmp_path / "lines.npz"
    path.write_bytes(b"PK\x03\x04 nothing")
    assert not is_lines(path)
    with pytest.raises(DatasetError, match="no file of lines"):
        load_lines(path, 0.1, 0)


@pytest.mark.parametrize("held_out", [True, False])
def test_a_file_of_lines_has_both_parts(tmp_path, held_out):
    save_lines(tmp_path / "lines.npz", [np.zeros((STRIP_HEIGHT, 40), np.uint8)] * 2, ["1", "2"], [held_out] * 2)
    with pytest.raises(DatasetError, match=r"lines: \d lines to learn from, \d held out; wanted some of both"):
        load_lines(tmp_path / "lines.npz", 0.1, 0)


def test_texts_become_numbers_and_batches_have_one_width(lines):
    encoded = encode(lines)
    for row, text in zip(encoded, lines.texts, strict=True):
        assert "".join(lines.classes[number - 1] for number in row if number) == text
    batches = LineBatches(lines, 8, LINE_AUGMENTATIONS["strong"], seed=0)
    order = batches.order(0)
    assert sorted(np.concatenate([chosen for chosen, _ in order]).tolist()) == list(range(36))
    widths = []
    for step in range(len(batches)):
        images, labels = batches.batch(order, 0, step)
        again, _ = batches.batch(order, 0, step)
        assert (images == again).all() and images.dtype == np.float32 and len(images) == len(labels)
        assert images.shape[1:] == (STRIP_HEIGHT, images.shape[2], 1) and images.shape[2] % 32 == 0
        widths.append(images.shape[2])
    assert widths[0] != widths[1]  # else Keras takes the width for fixed


def test_without_distortion_a_batch_is_the_strips(lines):
    batches = LineBatches(lines, 6, LINE_AUGMENTATIONS["none"], seed=0)
    order = batches.order(5)
    images, _ = batches.batch(order, 5, 2)
    for image, number in zip(images[..., 0], order[2][0], strict=True):
        strip = lines.strips[number]
        assert (image[:, : strip.shape[1]] == strip).all() and not image[:, strip.shape[1] :].any()
    assert (padded([lines.strips[0]])[0, :, : lines.strips[0].shape[1], 0] == lines.strips[0]).all()


def test_a_text_that_is_longer_than_its_frames_is_left_out():
    strips = [np.zeros((STRIP_HEIGHT, FRAME * frames), np.uint8) for frames in (3, 2, 2)]
    lines = Lines("few", strips, ("11", "11", "12"), ("1", "2"))  # 1, blank, 1: three frames
    kept, others = without_too_long(lines, 0.0)
    assert kept.texts == ("11", "12") and others == ["11"]
    with pytest.raises(DatasetError, match="no line is wide enough for its text"):
        without_too_long(lines.subset([1]), 0.0)


def test_the_command_writes_a_file_and_a_sheet(digits, tmp_path):
    source, out, sheet = tmp_path / "digits.npz", tmp_path / "lines.npz", tmp_path / "sheet.png"
    np.savez(source, images=digits.images, labels=digits.labels)
    options = ["--data", str(source), "--count", "12", "--workers", "1", "--sheet", str(sheet)]
    result = CliRunner().invoke(data, ["lines", str(out), *options], catch_exceptions=False)
    assert result.output.strip().endswith(f"wrote 12 lines, 1 of them held out, to {out}")
    assert is_lines(out) and cv2.imread(str(sheet)) is not None
    refused = CliRunner().invoke(data, ["lines", str(tmp_path / "lines.txt")])
    assert refused.exit_code == 2 and "wanted a name that ends in .npz" in refused.output
