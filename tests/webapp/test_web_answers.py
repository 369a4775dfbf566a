"""Predictions as JSON, glyphs as pictures."""

import base64

import cv2
import numpy as np
import pytest

from glyphlite.webapp.answers import glyph_png, glyph_squares, number_or_text


@pytest.mark.parametrize(("label", "answer"), [("7", 7), ("10", 10), ("A", "A"), ("²", "²"), ("٣", "٣"), ("-1", "-1")])
def test_only_plain_digits_become_numbers(label, answer):
    assert number_or_text(label) == answer


def test_a_colour_glyph_keeps_its_colours():
    red = np.zeros((4, 6, 3), np.uint8)
    red[1, 2] = 255, 0, 0  # glyphs are RGB
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(glyph_png(red)), np.uint8), cv2.IMREAD_COLOR)
    assert decoded[1, 2].tolist() == [0, 0, 255]  # OpenCV's arrays are BGR
    assert glyph_squares(red) == {"width": 6, "height": 4, "squares": [(2, 1, "#ff0000")]}


def test_a_large_glyph_is_drawn_smaller():
    shown = glyph_squares(np.full((224, 112), 9, np.uint8))
    assert (shown["width"], shown["height"], len(shown["squares"])) == (32, 64, 32 * 64)
