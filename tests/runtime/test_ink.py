"""Pixels to ink: neither light nor polarity matter, paper alone has none, and no array is too odd."""

import numpy as np
import pytest
from drawn import LINES, draw
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glyphlite.runtime.ink import ENLARGE_BELOW, WORK_SIDE, find_ink, stroke_width


def overlap(a, b):
    """Intersection over union of two masks."""
    return float((a & b).sum() / (a | b).sum())


def shadow(shape, dark, light):
    """A multiplier that falls from left to right."""
    return np.broadcast_to(np.linspace(light, dark, shape[1]) / 255, shape)


@pytest.mark.parametrize("digit", LINES)
def test_the_ink_is_what_was_drawn(digit):
    image = draw(digit)
    ink = find_ink(image)
    assert overlap(ink.mask, (image < 128).astype(np.uint8)) > 0.9
    assert (ink.soft[ink.mask == 0] == 0).all()
    assert ink.soft.max() == 255
    assert not ink.inverted


@pytest.mark.parametrize("digit", LINES)
@pytest.mark.parametrize("paper", [255, 200])
def test_an_image_and_its_negative_give_the_same_ink(digit, paper):
    image = draw(digit, ink=30, paper=paper)
    ink, negative = find_ink(image), find_ink(255 - image)
    assert (ink.inverted, negative.inverted) == (False, True)
    assert overlap(ink.mask, negative.mask) > 0.95
    assert abs(ink.stroke - negative.stroke) < 1


def test_colour_is_taken_as_its_brightness():
    grey = draw("4")
    blue = np.where(grey[..., None] < 128, np.uint8([160, 60, 30]), np.uint8([250, 250, 250]))
    assert overlap(find_ink(blue).mask, find_ink(grey).mask) > 0.9


@pytest.mark.parametrize("digit", LINES)
def test_a_shadow_does_not_matter(digit):
    """Paper that falls from 210 to 60 across the image: a global threshold takes half of it for ink."""
    image = draw(digit, shape=(300, 400), ink=80)
    shaded = (image * shadow(image.shape, 60, 210)).astype(np.uint8)
    assert (shaded[0, 0], shaded[0, -1]) == (210, 60)
    assert overlap(find_ink(shaded).mask, find_ink(image).mask) > 0.85


def test_pencil_and_marker_differ_in_contrast_and_not_in_ink():
    marker, pencil = find_ink(draw("3", ink=0)), find_ink(draw("3", ink=190, paper=230))
    assert overlap(marker.mask, pencil.mask) > 0.95
    assert pencil.soft.max() == 255


def test_sensor_noise_is_no_ink():
    clean = draw("2", ink=60, paper=200)
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 8, clean.shape), 0, 255).astype(np.uint8)
    assert overlap(find_ink(noisy).mask, find_ink(clean).mask) > 0.85


@pytest.mark.parametrize("level", [0, 1, 128, 240, 255])
def test_flat_paper_has_no_ink(level):
    ink = find_ink(np.full((120, 90), level, np.uint8))
    assert ink.empty
    assert not ink.mask.any()


def test_paper_in_uneven_light_has_no_ink():
    assert find_ink((255 * shadow((300, 400), 60, 210)).astype(np.uint8)).empty


def test_noisy_paper_has_no_writing():
    from glyphlite.runtime.layout import main_characters

    for seed, sigma in enumerate((2, 5, 10)):
        noise = np.random.default_rng(seed).normal(200, sigma, (300, 300))
        assert not main_characters(find_ink(np.clip(noise, 0, 255).astype(np.uint8)))


@pytest.mark.parametrize("pen", [4, 10, 24])
def test_the_pen_is_measured(pen):
    """A line of 45 degrees and a straight one, whose crop it fills to the last pixel."""
    assert find_ink(draw("0", pen=pen)).stroke == pytest.approx(pen, rel=0.3, abs=1.5)
    assert stroke_width(np.ones((100, pen), np.uint8)) == pytest.approx(pen, rel=0.15, abs=1)
    assert stroke_width(np.zeros((5, 5), np.uint8)) == 0


def test_a_large_image_is_looked_at_reduced():
    ink = find_ink(draw("0", height=2400, pen=200, shape=(4000, 3000)))
    assert ink.mask.shape == (WORK_SIDE, WORK_SIDE * 3 // 4)
    assert ink.scale == pytest.approx(WORK_SIDE / 4000)
    assert ink.stroke == pytest.approx(200 * ink.scale, rel=0.2)


def one_pixel(shape, place, value, ground):
    image = np.full(shape, ground, np.uint8)
    image[place] = value
    return image


def bordered(shape, width):
    image = np.full(shape, 255, np.uint8)
    image[:width], image[-width:], image[:, :width], image[:, -width:] = 0, 0, 0, 0
    return image


shapes = st.one_of(
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.tuples(st.just(1), st.sampled_from([1, 2, 500, 3000])),
    st.tuples(st.sampled_from([1, 2, 500, 3000]), st.just(1)),
    st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)),
)


@given(
    shapes.flatmap(
        lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 255), fill=st.sampled_from([0, 9, 255]))
    )
)
@example(np.zeros((1, 1), np.uint8))
@example(np.full((1, 500), 255, np.uint8))
@example(np.tile(np.uint8([[0, 255]]), (1, 400)))
@example(one_pixel((50, 50), (0, 0), 0, 255))
@example(one_pixel((50, 50), (25, 25), 255, 0))
@example(bordered((60, 40), 3))
@example(draw("8", height=200, pen=20, shape=(190, 110)))
@example(np.random.default_rng(0).integers(0, 256, (1, 65000)).astype(np.uint8))
def test_any_array_has_ink_or_none(image):
    ink = find_ink(image)
    assert ink.mask.shape == ink.soft.shape
    assert max(ink.mask.shape) == round(ink.scale * max(image.shape[:2])) <= WORK_SIDE
    doubled = min(image.shape[:2]) < ENLARGE_BELOW and 2 * max(image.shape[:2]) <= WORK_SIDE
    assert ink.scale == 2 if doubled else ink.scale <= 1
    assert np.isin(ink.mask, (0, 1)).all()
    assert ink.empty == (not ink.mask.any())
    assert 0 <= ink.stroke <= max(ink.mask.shape)


def test_a_pen_whose_grey_is_the_papers_is_seen_in_its_best_channel():
    from glyphlite.runtime.steps import Steps

    shape = draw("3") < 128
    image = np.full((*shape.shape, 3), 180, np.uint8)
    image[shape] = (250, 160, 190)  # grey 179 or 180 as well
    noise = np.random.default_rng(0).normal(0, 1.5, image.shape)
    image = np.clip(image + noise, 0, 255).astype(np.uint8)
    assert overlap(find_ink(image).mask, shape.astype(np.uint8)) > 0.8
    without = find_ink(image, Steps(colour=False))
    assert without.empty or overlap(without.mask, shape.astype(np.uint8)) < 0.3
