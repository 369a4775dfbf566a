"""Wear of training glyphs: seeded, of the share asked for, and what it leaves alone."""

import numpy as np
import pytest

from glyphlite.train.augment import AUGMENTATIONS
from glyphlite.train.strokes import digit_glyphs
from glyphlite.train.wear import KINDS, worn


@pytest.fixture(scope="module")
def glyphs():
    return digit_glyphs(400, np.random.default_rng(0))[0]


def test_a_share_is_worn_and_the_same_by_seed(glyphs):
    first, again = (worn(glyphs, 0.5, np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, again)
    changed = (first != glyphs).any((1, 2)).mean()
    assert 0.4 < changed < 0.6
    assert np.array_equal(worn(glyphs, 0.0, np.random.default_rng(1)), glyphs)


@pytest.mark.parametrize("kind", sorted(set(KINDS), key=lambda kind: kind.__name__), ids=lambda kind: kind.__name__)
def test_each_kind_leaves_glyphs_of_any_shape(glyphs, kind):
    rng = np.random.default_rng(2)
    for image in (glyphs[0], np.ascontiguousarray(glyphs[1][:20]), np.zeros((16, 24), np.uint8)):
        before = image.copy()
        shown = [kind(image, rng) for _ in range(20)]
        assert all(one.dtype == np.uint8 and one.shape == image.shape for one in shown)
        assert np.array_equal(image, before)
    assert any((kind(glyphs[0], rng) != glyphs[0]).any() for _ in range(5))


def test_harsh_distorts_colour_without_wear():
    images = np.full((3, 20, 16, 3), 90, np.uint8)
    assert (AUGMENTATIONS["harsh"](images, np.random.default_rng(0)) == 90).all()
