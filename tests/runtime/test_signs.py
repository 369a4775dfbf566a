"""Signs are told by shape and place."""

import cv2
import pytest
from drawn import write

from glyphlite.runtime.cuts import segment
from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import find_lines
from glyphlite.runtime.signs import sign_of, slash_probability


def dot(image):
    cv2.circle(image, (168, 92), 4, 0, -1)


def comma(image):
    cv2.line(image, (170, 88), (165, 106), 0, 5)


def dash(image):
    cv2.line(image, (162, 66), (174, 66), 0, 4)


def colon(image):
    cv2.circle(image, (168, 56), 4, 0, -1)
    cv2.circle(image, (168, 86), 4, 0, -1)


def equals(image):
    cv2.line(image, (162, 60), (174, 60), 0, 4)
    cv2.line(image, (162, 74), (174, 74), 0, 4)


@pytest.mark.parametrize(("put", "sign"), [(dot, "."), (comma, ","), (dash, "-"), (colon, ":"), (equals, "=")])
def test_a_sign_between_two_digits(put, sign):
    image = write("1070", spacing=2)
    put(image)
    (line,) = find_lines(find_ink(image))
    lattice = segment(line)
    middle = [span for span in lattice.spans if abs(span.box[0] + span.box[2] / 2 + line.left - 168) < 12]
    assert sign in {sign_of(span, lattice) for span in middle}


def test_a_character_is_no_sign():
    (line,) = find_lines(find_ink(write("1070", spacing=2)))
    lattice = segment(line)
    assert {sign_of(span, lattice) for span in lattice.spans if span.box[3] > 0.9 * line.height} == {""}


# --- slashes ---------------------------------------------------------------------------------------------------------


def test_a_slash_is_read_where_it_is_expected(model):
    assert model.read(write("12/03/70"), expect=r"\d\d/\d\d/\d\d", separators=True).text == "12/03/70"


def test_a_slash_is_passed_over_where_digits_alone_are_expected(model):
    assert model.read(write("12/03/70"), expect=r"\d{6}").text == "120370"


@pytest.mark.parametrize("slant", [0.0, 0.2, 0.35])
@pytest.mark.parametrize("text", ["10715", "71104", "11", "2131"])
def test_a_pattern_that_the_plain_reading_meets_changes_nothing(model, text, slant):
    """A leaning 1 is no slash where none is needed."""
    image = write(text, slant=slant)
    assert model.read(image, expect=r"\d+").text == model.read(image).text


@pytest.mark.parametrize("expect", [r"\d\d\.\d\d", ["10.70", "17.00"]])
def test_signs_that_are_expected_are_kept_unasked(model, expect):
    image = write("1070", spacing=2)
    dot(image)
    assert model.read(image, expect=expect).text == "10.70"
    assert model.read(image, expect=r"\d{4}").text == "1070"


def test_an_upright_stroke_is_no_slash():
    (line,) = find_lines(find_ink(write("1111", spacing=2)))
    lattice = segment(line)
    assert max(slash_probability(span, lattice, line.stroke) for span in lattice.spans) < 0.1
