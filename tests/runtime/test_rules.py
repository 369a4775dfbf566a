"""Printed lines go and writing stays: rules, margins, underlines, frames, cells."""

import cv2
import numpy as np
import pytest
from drawn import draw, write

from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import find_lines
from glyphlite.runtime.rules import straight_lines, without_rules


def cleaned(image):
    return without_rules(find_ink(image)).mask


def heights(mask):
    """Of the connected pieces, the largest first."""
    return sorted(cv2.connectedComponentsWithStats(mask)[2][1:, cv2.CC_STAT_HEIGHT].tolist(), reverse=True)


def row(text="1070", margin=60):
    """A number with paper around it, and the box of its ink."""
    image = cv2.copyMakeBorder(write(text, spacing=1.8), *[margin] * 4, cv2.BORDER_CONSTANT, value=255)
    return image, cv2.boundingRect((image < 128).astype(np.uint8))


# --- what leaves the image -------------------------------------------------------------------------------------------


def test_a_rule_goes_and_the_stroke_that_crosses_it_stays_whole():
    image = draw("1", shape=(200, 400))
    cv2.line(image, (0, 110), (399, 110), 0, 3)
    mask = cleaned(image)
    assert mask[:, :150].sum() == 0
    assert len(heights(mask)) == 1 and heights(mask)[0] >= 120


def test_a_slanted_stroke_is_not_cut_by_a_thick_rule():
    image = np.full((200, 400), 255, np.uint8)
    cv2.line(image, (150, 160), (250, 40), 0, 10)
    cv2.line(image, (0, 100), (399, 100), 0, 6)
    mask = cleaned(image)
    assert mask[:, :100].sum() == 0
    assert heights(mask)[0] >= 120


def test_a_squared_ground_as_dark_as_the_pen(model):
    image = write("1070", spacing=1.8)
    for at in range(20, image.shape[0], 40):
        cv2.line(image, (0, at), (image.shape[1], at), 0, 2)
    for at in range(24, image.shape[1], 40):
        cv2.line(image, (at, 0), (at, image.shape[0]), 0, 2)
    assert model.read(image).text == "1070"


def test_a_margin_beside_several_lines_goes():
    image = np.vstack([write("1070", spacing=1.8)] * 3)
    image = cv2.copyMakeBorder(image, 0, 0, 60, 0, cv2.BORDER_CONSTANT, value=255)
    plain = cleaned(image)
    cv2.line(image, (40, 0), (40, image.shape[0]), 0, 3)
    assert heights(cleaned(image)) == pytest.approx(heights(plain), abs=2)
    assert not cleaned(image)[:, :50].any()


@pytest.mark.parametrize("text", ["1", "4", "11", "3141"])
def test_a_stem_as_high_as_the_image_is_no_margin(text):
    image = write(text, spacing=1.8)
    x, y, width, height = cv2.boundingRect((image < 128).astype(np.uint8))
    ink = find_ink(image[y : y + height, x : x + width])
    assert np.array_equal(without_rules(ink).mask, ink.mask)


def test_an_image_of_nothing_but_a_rule_reads_as_nothing(model):
    image = np.full((60, 300), 255, np.uint8)
    image[30:32] = 0
    assert not cleaned(image).any()
    assert model.read(image).lines == ()


# --- lines of a form -------------------------------------------------------------------------------------------------


def test_a_long_foot_that_ends_inside_the_image_is_no_rule():
    image = np.full((150, 300), 255, np.uint8)
    cv2.line(image, (60, 100), (240, 100), 0, 6)
    ink = find_ink(image)
    assert np.array_equal(without_rules(ink).mask, ink.mask)


@pytest.mark.parametrize("below", [0, 8])
def test_an_underline_that_touches_or_not(model, below):
    image, (x, y, width, height) = row()
    cv2.line(image, (x - 10, y + height + below), (x + width + 10, y + height + below), 0, 4)
    assert model.read(image).text == "1070"


def test_the_underline_of_one_digit(model):
    image = draw("5", shape=(240, 200))
    cv2.line(image, (50, 196), (150, 196), 0, 6)
    assert model.predict(image).label == "5"


def test_the_bars_of_sevens_that_are_joined_are_no_underline():
    image = np.full((200, 400), 255, np.uint8)
    cv2.line(image, (100, 70), (280, 70), 0, 8)
    for right in (180, 280):
        cv2.line(image, (right, 70), (right - 40, 150), 0, 8)
    assert np.array_equal(cleaned(image), find_ink(image).mask)


def test_a_frame(model):
    image, (x, y, width, height) = row()
    cv2.rectangle(image, (x - 14, y - 12), (x + width + 14, y + height + 12), 0, 4)
    assert model.read(image).text == "1070"


def test_the_frame_of_one_digit(model):
    image = draw("3", shape=(300, 300))
    cv2.rectangle(image, (80, 60), (220, 240), 0, 5)
    assert model.predict(image).label == "3"


def test_cells_and_a_digit_that_crosses_from_one_to_the_next(model):
    image, (x, y, width, height) = row()
    plain = heights(cleaned(image))
    cv2.rectangle(image, (x - 14, y - 12), (x + width + 14, y + height + 12), 0, 3)
    columns = np.flatnonzero((image[y : y + height] < 128).any(0))
    gaps = columns[:-1][np.diff(columns) > 4]
    for at in [*(gaps + 6).tolist()[1:-1], x + width // 3]:
        cv2.line(image, (at, y - 12), (at, y + height + 12), 0, 3)
    assert heights(cleaned(image))[: len(plain)] == pytest.approx(plain, abs=4)
    assert model.read(image).text == "1070"


def test_an_angular_zero_is_no_frame():
    image = np.full((200, 200), 255, np.uint8)
    cv2.rectangle(image, (70, 40), (130, 160), 0, 8)
    ink = find_ink(image)
    assert np.array_equal(without_rules(ink).mask, ink.mask)
    cv2.line(image, (70, 100), (130, 100), 0, 8)  # and an 8 neither
    ink = find_ink(image)
    assert np.array_equal(without_rules(ink).mask, ink.mask)
    assert len(find_lines(ink)) == 1


def test_zeros_that_touch_in_a_row_are_no_line():
    image = np.full((160, 420), 255, np.uint8)
    for x in (90, 170, 250, 330):
        cv2.ellipse(image, (x, 80), (42, 34), 0, 0, 360, 0, 6)
    ink = find_ink(image)
    assert np.array_equal(without_rules(ink).mask, ink.mask)


def test_straight_lines_come_longest_first_and_slope_a_little():
    mask = np.zeros((100, 400), np.uint8)
    cv2.line(mask, (20, 20), (120, 22), 1, 4)
    cv2.line(mask, (20, 60), (380, 70), 1, 4)
    lines = straight_lines(mask, 4.0)
    assert [line.length for line in lines] == pytest.approx([361, 101], abs=6)
    assert straight_lines(mask[:, :25], 4.0) == []
