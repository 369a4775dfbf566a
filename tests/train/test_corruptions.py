"""Corruptions of glyphs: seeded, in their range, worse by severity."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.runtime.errors import DatasetError
from glyphlite.train.corruptions import CORRUPTIONS, OF_MNIST_C, SEVERITIES, corrupted

KINDS = list(CORRUPTIONS)


@pytest.fixture(scope="module")
def glyphs():
    images = np.zeros((6, 28, 28), np.uint8)
    for number, image in enumerate(images):
        image[5:23, 10 + number : 13 + number] = 230
        image[12:15, 7:20] = 180
    return images


def test_they_are_those_of_the_paper():
    assert len(OF_MNIST_C) == 15 and {"fog", "spatter", "zigzag", "canny_edges"} <= set(OF_MNIST_C)
    assert "thin" not in OF_MNIST_C
    assert set(OF_MNIST_C) < set(CORRUPTIONS) and set(OF_MNIST_C.values()) <= set(SEVERITIES)


def test_a_stripe_stays_as_it_was_in_the_middle(glyphs):
    shown = corrupted(glyphs, "stripe", OF_MNIST_C["stripe"])
    assert np.array_equal(shown[:, :, 7:21], glyphs[:, :, 7:21])
    assert np.array_equal(shown[:, :, :7], 255 - glyphs[:, :, :7])
    assert np.array_equal(shown[:, :, 21:], 255 - glyphs[:, :, 21:])


def test_a_broken_line_runs_over_black_and_ink_alike():
    black = np.zeros((20, 28, 28), np.uint8)
    lit = corrupted(black, "dotted_line", 4).max(1) == 255
    assert lit.any(1).all() and not lit[:, 2::4].any() and (lit.mean(1) > 0.3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_is_seeded_and_grows(glyphs, kind):
    shown = [corrupted(glyphs, kind, severity, seed=4) for severity in SEVERITIES]
    assert all(one.dtype == np.uint8 and one.shape == glyphs.shape for one in shown)
    assert np.array_equal(shown[2], corrupted(glyphs, kind, 3, seed=4))
    change = [np.abs(one.astype(int) - glyphs).mean() for one in shown]
    assert 0 < change[0] < change[-1]


def test_the_input_is_left_as_it_was(glyphs):
    before = glyphs.copy()
    for kind in KINDS:
        corrupted(glyphs, kind, 5)
    assert np.array_equal(before, glyphs)


@given(st.sampled_from(KINDS), st.sampled_from(SEVERITIES), st.integers(8, 40), st.integers(8, 40))
def test_any_size(kind, severity, height, width):
    image = np.full((1, height, width), 90, np.uint8)
    assert corrupted(image, kind, severity).shape == image.shape


def test_what_is_not_known_is_named(glyphs):
    with pytest.raises(DatasetError, match="'rain'; wanted one of shot_noise"):
        corrupted(glyphs, "rain", 1)
    with pytest.raises(DatasetError, match="severity 6; wanted 1 to 5"):
        corrupted(glyphs, "fog", 6)
    with pytest.raises(DatasetError, match="wanted grey uint8"):
        corrupted(glyphs[..., None], "fog", 1)
    assert corrupted(glyphs[:0], "fog", 1).shape == (0, 28, 28)
