"""Ink to a character: the writing is found where it is, whole, and what is no writing is left out."""

import cv2
import numpy as np
import pytest
from drawn import LINES, LOOSE_FIVE, draw

from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import find_lines, main_characters


def found(image):
    return next(iter(main_characters(find_ink(image))), None)


def box_of(image):
    """x, y, width, height of everything dark."""
    rows, columns = np.nonzero(image < 128)
    return columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1


@pytest.mark.parametrize("digit", LINES)
def test_the_box_holds_the_ink(digit):
    image = draw(digit, height=80, pen=8, shape=(300, 400), corner=(220, 30))
    assert found(image).box == pytest.approx(box_of(image), abs=2)


def test_the_box_is_in_pixels_of_the_original_image():
    image = draw("5", height=800, pen=60, shape=(2400, 1600), corner=(900, 1300))
    assert found(image).box == pytest.approx(box_of(image), abs=6)  # two pixels of the third that is looked at


def test_the_character_is_cropped_to_its_ink():
    character = found(draw("2", shape=(300, 300)))
    assert character.soft.shape == character.box[:1:-1]
    assert character.soft[0].any()
    assert character.soft[:, -1].any()


@pytest.mark.parametrize("image", [np.full((100, 100), 230, np.uint8), np.zeros((3, 3), np.uint8)])
def test_nothing_is_found_on_blank_paper(image):
    assert found(image) is None


def test_a_line_is_found_below_one_that_is_too_small():
    """The tallest piece tells whether there is writing, not the first."""
    image = np.full((120, 200), 255, np.uint8)
    image[20:27, 40:42] = 0
    for x in (40, 60, 80):
        image[60:73, x : x + 3] = 0
    for turned in (image, image[::-1]):
        assert [line.height for line in find_lines(find_ink(turned))] == [13]


def test_a_halftone_is_looked_through():
    """6,241 pieces: each was compared with every other."""
    image = np.full((800, 800), 255, np.uint8)
    for y in range(5, 795, 10):
        for x in range(5, 795, 10):
            image[y - 3 : y + 3, x - 3 : x + 3] = 30
    ink = find_ink(image)
    assert len(find_lines(ink)) <= 79
    assert main_characters(ink) is not None


def test_specks_are_no_writing():
    image = np.full((200, 200), 255, np.uint8)
    for x, y in ((20, 20), (100, 150), (180, 60)):
        cv2.circle(image, (x, y), 2, 0, -1)
    assert found(image) is None


def test_dust_does_not_move_the_character():
    clean = draw("6")
    dusty = clean.copy()
    for x, y in ((12, 12), (190, 20), (185, 185)):
        cv2.circle(dusty, (x, y), 2, 0, -1)
    assert found(dusty).box == found(clean).box


@pytest.mark.parametrize("digit", LINES)
def test_a_frame_on_the_edge_is_no_ink(digit):
    clean = draw(digit, shape=(200, 180))
    framed = clean.copy()
    cv2.rectangle(framed, (0, 0), (179, 199), 0, 9)
    assert found(framed).box == pytest.approx(found(clean).box, abs=2)


@pytest.mark.parametrize("side", ["left", "top"])
def test_a_dark_table_beside_the_paper_is_no_ink(side):
    clean = draw("7", shape=(240, 240))
    image = clean.copy()
    if side == "left":
        image[:, :14] = 40
    else:
        image[:14] = 40
    assert found(image).box == pytest.approx(found(clean).box, abs=2)


def test_the_loose_bar_of_a_5_is_joined():
    image = draw(LOOSE_FIVE)
    count, _ = cv2.connectedComponents((image < 128).astype(np.uint8))
    assert count == 3  # the ground and two pieces
    assert found(image).box == pytest.approx(box_of(image), abs=2)


def test_what_is_far_away_is_not_joined():
    image = np.minimum(
        draw("8", height=120, shape=(300, 400), corner=(60, 80)),
        draw("1", height=50, shape=(300, 400), corner=(340, 30)),
    )
    x, _, width, _ = found(image).box
    assert x + width < 200


def test_a_digit_at_the_border_of_a_tight_crop_is_kept():
    image = draw("3", height=120, pen=12, shape=(140, 100))
    rows, columns = np.nonzero(image < 250)
    tight = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    character = found(np.pad(tight, 1, constant_values=255))
    assert character.box[3] > 0.9 * tight.shape[0]
