"""What a float input takes pixels as, in words and in numbers."""

import numpy as np
import pytest

from glyphlite.runtime.scale import IMAGENET, WHOLE, low_and_step, parse_scale, scale_text


@pytest.mark.parametrize(
    ("text", "value_range"),
    [
        ("0,1", (0, 1)),
        (" -1 , 1 ", (-1, 1)),
        ("1,0", (1, 0)),
        ("0,1,0,2,0,3", (0, 1, 0, 2, 0, 3)),
        ("imagenet", IMAGENET),
        ("0.12345678,1", (0.12345678, 1)),
    ],
)
def test_what_is_said_becomes_a_range_and_is_said_again(text, value_range):
    assert parse_scale(text) == value_range
    assert parse_scale(scale_text(value_range)) == value_range


@pytest.mark.parametrize("text", ["", "1", "0,1,2", "a,b", "3,3", "0,nan", "0,inf", "0,1,0,1,2,2", "coco"])
def test_what_is_no_range_is_named(text):
    with pytest.raises(ValueError, match=r"wanted two (different )?numbers"):
        parse_scale(text)


def test_pixels_by_a_range_of_each_channel():
    low, step = low_and_step(IMAGENET, 3)
    pixels = np.array([[0, 128, 255]])
    wanted = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]  # as torchvision normalizes them
    np.testing.assert_allclose(pixels * step + low, wanted, atol=1e-5)
    assert low_and_step(WHOLE, 3) == low_and_step(WHOLE, 1) == (0, 1)
