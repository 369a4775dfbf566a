"""Reading a line or a page: lines, slant, rules, cuts, and the best path through them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from drawn import draw, write
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from glyphlite.runtime import ImageError, ModelError, Recognizer
from glyphlite.runtime.cli import root
from glyphlite.runtime.cuts import Lattice, Primitive, Span, segment
from glyphlite.runtime.expect import expectation
from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import find_lines, find_slant, shear
from glyphlite.runtime.path import best_ways
from glyphlite.train.scribbles import scribbles

# --- layout ----------------------------------------------------------------------------------------------------------


def test_two_lines_are_found_from_the_top():
    page = np.vstack([write("104", shape=(120, 300)), write("71", shape=(120, 300))])
    first, second = find_lines(find_ink(page))
    assert first.top < 60 < second.top
    assert first.height == pytest.approx(66, abs=4)  # 60 and the pen's width


def test_a_blank_image_has_no_lines():
    assert find_lines(find_ink(np.full((100, 100), 240, np.uint8))) == ()


@pytest.mark.parametrize("slant", [-0.3, 0.0, 0.3, 0.6])
def test_the_slant_of_bars_is_measured_and_undone(slant):
    ink = find_ink(write("1111", slant=slant - 0.125))  # the drawn 1 leans by 0.125 itself
    mask = ink.mask
    assert find_slant(mask) == pytest.approx(slant, abs=0.07)
    upright = (shear(mask * 255, find_slant(mask)) > 127).astype(np.uint8)
    widths = cv2.connectedComponentsWithStats(upright)[2][1:, cv2.CC_STAT_WIDTH]
    assert widths.max() < 3 * ink.stroke


def test_a_box_of_a_sheared_line_comes_back_to_the_image(model):
    image = write("1111", slant=0.4)
    for character, x in zip(model.read(image).lines[0].characters, range(18, 200, 56), strict=False):
        assert abs(character.box[0] - x) < 40
        assert character.box[3] == pytest.approx(66, abs=6)


# --- cuts ------------------------------------------------------------------------------------------------------------


def test_digits_apart_are_spans_of_their_own():
    (line,) = find_lines(find_ink(write("1717")))
    lattice = segment(line)
    assert sum(primitive.ink == 0 for primitive in lattice.primitives) == 4
    starts = {span.start for span in lattice.spans}
    assert starts == set(range(len(lattice.primitives)))


def test_touching_digits_have_a_cut_between_them():
    (line,) = find_lines(find_ink(write("00", spacing=0.98)))
    assert cv2.connectedComponents(line.mask)[0] == 2  # they are one piece
    lattice = segment(line)
    middle = line.mask.shape[1] / 2
    assert min(abs(primitive.left - middle) for primitive in lattice.primitives) < 4


# --- path ------------------------------------------------------------------------------------------------------------


def lattice_of(*boxes, ink=0.0):
    """A lattice of single primitives side by side, with the spans of one and of two of them; boxes: (width, height)."""
    primitives, spans, x = [], [], 0
    for width, _ in boxes:
        primitives.append(Primitive((1,), x, x + width, ink if x else 0.0))
        x += width
    empty = np.zeros((1, 1), np.uint8)
    for size in (1, 2):
        for start in range(len(boxes) - size + 1):
            part = boxes[start : start + size]
            box = (primitives[start].left, 0, sum(w for w, _ in part), max(h for _, h in part))
            spans.append(Span(start, start + size, empty, box, 0))
    return Lattice(tuple(primitives), tuple(spans), 40.0)


def log_rows(*best):
    """Log-probabilities (n, 2) whose better class has the given probability."""
    return np.log([[share, 1 - share] for share in best])


def spans_read(lattice, rows, **options):
    """Indices of the spans on the best way."""
    (way,) = best_ways(lattice, "ab", rows, np.zeros(len(rows)), **options)
    return [index for index, _ in way.steps]


def test_two_sure_characters_beat_an_unsure_one():
    assert spans_read(lattice_of((20, 40), (20, 40)), log_rows(0.99, 0.99, 0.6)) == [0, 1]
    assert spans_read(lattice_of((20, 40), (20, 40), ink=1.0), log_rows(0.55, 0.6, 0.99)) == [2]


def test_a_low_piece_is_a_separator_and_a_tall_one_is_read_even_if_unsure():
    assert spans_read(lattice_of((20, 40), (5, 5)), log_rows(0.99, 0.9, 0.51)) == [0]
    assert spans_read(lattice_of((40, 40), (8, 40)), log_rows(0.99, 0.51, 0.51)) == [0, 1]


def test_what_is_surely_no_character_is_passed_over():
    lattice = lattice_of((20, 40), (20, 40))
    sure, junk = np.log(0.999), -60.0
    rows = np.array([[sure, junk], [junk, junk], [junk, junk]])
    assert [w.text for w in best_ways(lattice, "ab", rows, np.log([1e-9, 0.999, 1e-9]))] == ["a"]


def test_an_empty_lattice_is_read_as_nothing():
    (way,) = best_ways(Lattice((), (), 40.0), "ab", np.zeros((0, 2)), np.zeros(0))
    assert (way.text, way.cost) == ("", 0)


def test_the_best_way_that_is_expected_is_found_though_others_are_likelier():
    lattice, rows = lattice_of((20, 40), (20, 40)), log_rows(0.99, 0.9, 0.6)
    other = np.zeros(3)
    assert best_ways(lattice, "ab", rows, other)[0].text == "aa"
    (way,) = best_ways(lattice, "ab", rows, other, expected=expectation("ab|bb"))
    assert way.text == "ab"
    assert best_ways(lattice, "ab", rows, other, expected=expectation("aaa")) == []


def test_the_next_best_ways_read_other_texts_and_cost_more():
    lattice, rows = lattice_of((20, 40), (8, 30)), log_rows(0.9, 0.8, 0.3)
    ways = best_ways(lattice, "ab", rows, np.log([0.1, 0.2, 0.5]), count=50)
    assert len({way.text for way in ways}) == len(ways) >= 5
    assert [way.cost for way in ways] == sorted(way.cost for way in ways)
    assert ways[0] == best_ways(lattice, "ab", rows, np.log([0.1, 0.2, 0.5]))[0]


# --- read ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["1", "70", "4071", "8001"])
def test_a_number_is_read(model, text):
    reading = model.read(write(text))
    assert reading.text == text
    assert all(0 < character.confidence <= 1 for character in reading.lines[0].characters)
    assert all(len(character.top) == 3 for character in reading.lines[0].characters)


def test_a_page_is_read_line_by_line_whatever_its_polarity(model):
    page = np.vstack([write("10", shape=(120, 240)), write("74", shape=(120, 240))])
    assert model.read(page).text == model.read(255 - page).text == "10\n74"


def test_separators_are_left_out(model):
    image = write("1070")
    cv2.circle(image, (112, 92), 4, 0, -1)
    assert model.read(image).text == "1070"


def test_separators_are_kept_where_they_are_asked_for(model):
    image = write("1070", spacing=2)
    cv2.circle(image, (168, 92), 4, 0, -1)
    reading = model.read(image, separators=True)
    assert reading.text == "10.70"
    (line,) = reading.lines
    assert [one.glyph is None for one in line.characters] == [False, False, True, False, False]


def test_what_is_expected_decides(model):
    image = write("1070")
    assert model.read(image, expect=r"\d{4}").text == "1070"
    assert model.read(image, expect=["1000", "1010", "1070"]).text == "1070"
    wrong = model.read(image, expect=r"20\d\d")
    assert wrong.text in ("", "2070")  # a 2 is tried only where it is not impossible
    impossible = model.read(image, expect=r"\d{12}")
    assert (impossible.text, impossible.lines) == ("", ())
    assert impossible.reason == "nothing that was expected can be read"
    never = model.read(image, expect="abc").reason
    assert never.startswith("nothing that was expected can be read: it begins with no character that ")
    assert never.endswith(f" knows ({' '.join(model.card.labels)})")


def test_a_line_that_is_not_sure_enough_is_told(model):
    image = write("1070")
    assert model.read(image, min_confidence=1.0).reason == "not sure: 1070 was found, wanted 100.0 %"
    assert model.read(np.full((120, 300), 240, np.uint8), min_confidence=1.0).reason == "no character found"
    unsure = next(
        reading
        for seed in range(20)
        if not (reading := model.read(scribbles(1, np.random.default_rng(seed), ["letter"])[0])).lines
    )
    assert re.fullmatch(r"not sure: \d+( / \d+)* was found, wanted 20.0 %", unsure.reason)


def test_fewer_alternatives_than_none_are_none(model):
    assert model.read(write("4071"), alternatives=-1).lines[0].alternatives == ()


@given(st.lists(st.sampled_from("0123456789"), min_size=1, max_size=5), st.integers(0, 3), st.integers(0, 6))
@settings(max_examples=30, deadline=None)
def test_boxes_lie_within_the_image(model, digits, quarter, cut):
    """Also of ink that goes on to the very edge."""
    image = write("".join(digits), slant=0.3)
    rows, columns = np.flatnonzero(image.min(1) < 128), np.flatnonzero(image.min(0) < 128)
    image = image[rows[0] : rows[-1] + 1 + cut, columns[0] : columns[-1] + 1 + cut]
    page = np.ascontiguousarray(np.rot90(image, quarter))
    for line in model.read(page, any_rotation=True).lines:
        for one in line.characters:
            x, y, width, height = one.box
            assert 0 <= x < x + width <= page.shape[1] and 0 <= y < y + height <= page.shape[0]


def test_a_line_has_a_probability_and_alternatives(model):
    (line,) = model.read(write("4071"), alternatives=3).lines
    assert 0 < line.probability <= min(one.confidence for one in line.characters)
    assert len(line.alternatives) == 3
    assert all(text != "4071" and 0 <= share <= line.probability for text, share in line.alternatives)


def test_a_turned_page_is_read_and_its_boxes_lie_on_the_page(model):
    image = write("4071")
    upright = model.read(image)
    for quarter in range(4):
        page = np.ascontiguousarray(np.rot90(image, quarter))
        reading = model.read(page, any_rotation=True)
        assert reading.text == "4071"
        assert reading.rotation == 90 * quarter
        for one, other in zip(reading.lines[0].characters, upright.lines[0].characters, strict=True):
            x, y, width, height = one.box
            assert page[y : y + height, x : x + width].min() < 100
            assert sorted((width, height)) == pytest.approx(sorted(other.box[2:]), abs=4)


@pytest.mark.parametrize("text", ["2347", "5174", "70423"])
def test_a_page_lies_as_most_of_it_is_read_and_the_command_says_so(text, tmp_path):
    """Not as what little is read there is cheapest."""
    for quarter in range(4):
        cv2.imwrite(str(tmp_path / "page.png"), np.rot90(write(text, pen=4), quarter))
        done = CliRunner().invoke(root, ["read", str(tmp_path / "page.png"), "--any-rotation", "--json"])
        (found,) = json.loads(done.output)
        assert (found["text"], found["rotation"], found["ambiguous"]) == (text, 90 * quarter, False)


def test_a_6_that_may_be_a_9_is_said(model):
    assert model.predict(draw("6"), any_rotation=True).ambiguous
    assert not model.predict(draw("4"), any_rotation=True).ambiguous


def test_nothing_is_read_from_blank_paper(model):
    reading = model.read(np.full((200, 200), 240, np.uint8))
    assert reading.lines == ()
    assert reading.text == ""


def test_what_cannot_be_read_is_an_error(model, tiny_tflite):
    with pytest.raises(ImageError, match="0 bytes"):
        model.read(b"")
    with pytest.raises(ModelError, match="takes whole images"):
        Recognizer.load(tiny_tflite["float32"]).read(np.zeros((20, 20), np.uint8))


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60))))
def test_any_small_image_is_read_or_left(model, image):
    model.read(image)


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (300, 4), (1200, 30)])
def test_odd_shapes_of_noise_and_bars(model, shape):
    rng = np.random.default_rng(0)
    for image in (rng.integers(0, 256, shape, np.uint8), (np.indices(shape).sum(0) // 7 % 2 * 255).astype(np.uint8)):
        model.read(image)


def test_the_command_reads_and_complains(tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), write("4071"))
    cv2.imwrite(str(tmp_path / "blank.png"), np.full((90, 90), 250, np.uint8))
    command = [str(Path(sys.executable).with_name("glyphlite")), "read", "good.png", "blank.png", "none.png"]
    model = os.environ.get("GLYPHLITE_TEST_MODEL", "digits-edge")
    done = subprocess.run([*command, "--model", model], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == "good.png:  4071\n"
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [" blank.png", " none.png"]
    done = subprocess.run([*command[:3], "--model", model, "--json"], cwd=tmp_path, capture_output=True, text=True)
    (result,) = json.loads(done.stdout)
    assert result["text"] == "4071"
    assert [len(line["characters"]) for line in result["lines"]] == [4]


def test_real_photographed_numbers(model, data_root):
    photos = data_root / "photos" / "numbers"
    if not photos.is_dir():
        pytest.skip(f"{photos} is not there")
    assert model.read(photos / "sample1.jpg").text == "3268"
    assert model.read(photos / "sample2.jpg").text == "3432"
