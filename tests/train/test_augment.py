"""Augmentation: seeded, bounded, and what each distortion does."""

import numpy as np
import pytest

from glyphlite.train.augment import AUGMENTATIONS, NONE, STRONG, Augmentation, augmentation_of
from glyphlite.train.batches import Batches, as_input, one_hot
from glyphlite.train.strokes import digit_glyphs


def bar(count=64):
    """Upright bars of ink, (N, 28, 28)."""
    images = np.zeros((count, 28, 28), np.uint8)
    images[:, 5:23, 12:16] = 255
    return images


def moments(images):
    """Centre of mass (N, 2) and mass (N,)."""
    weights = images.astype(float)
    mass = weights.sum((1, 2))
    rows, columns = np.indices(images.shape[1:])
    return np.stack([(weights * axis).sum((1, 2)) / mass for axis in (rows, columns)], 1), mass


@pytest.mark.parametrize("augmentation", AUGMENTATIONS.values())
def test_the_same_seed_gives_the_same_images(augmentation):
    a, b = (augmentation(bar(), np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(a, b)
    assert a.shape == (64, 28, 28)
    assert a.dtype == np.uint8


def test_none_changes_nothing():
    assert np.array_equal(NONE(bar(), np.random.default_rng(0)), bar())


def test_around_an_image_is_its_edge_and_around_a_glyph_black():
    paper = np.full((40, 28, 28), 230, np.uint8)
    assert (augmentation_of("strong", "stretch")(paper, np.random.default_rng(0)) > 220).all()
    assert (augmentation_of("strong", "mnist")(paper, np.random.default_rng(0)).min((1, 2)) < 200).mean() > 0.9
    assert augmentation_of("none", "stretch") == NONE


def test_strong_changes_every_image_and_keeps_the_ink():
    before, after = bar(), STRONG(bar(), np.random.default_rng(0))
    assert (before != after).any((1, 2)).all()
    _, mass = moments(after)
    assert (mass > 0.3 * moments(before)[1]).all()


def test_shift_moves_within_its_bound():
    centres, mass = moments(Augmentation(shift=0.1)(bar(), np.random.default_rng(0)))
    offset = np.abs(centres - moments(bar())[0])
    assert offset.max() <= 2.8 + 1e-3
    assert offset.max() > 1.5
    assert np.allclose(mass, moments(bar())[1], rtol=0.01)


def test_rotation_keeps_the_centre_and_turns_the_bar():
    centres, _ = moments(Augmentation(rotation=20)(bar(), np.random.default_rng(0)))
    assert np.abs(centres - moments(bar())[0]).max() < 0.2


def test_scale_changes_the_mass_by_its_square():
    _, mass = moments(Augmentation(scale=0.2)(bar(256), np.random.default_rng(0)))
    share = np.sqrt(mass / moments(bar())[1][0])
    assert 1 / 1.2 - 0.02 <= share.min() < 0.9
    assert 1.1 < share.max() <= 1.2 + 0.02


def test_thickness_goes_both_ways_and_erases_nothing():
    thin = np.zeros((128, 28, 28), np.uint8)
    thin[:, 5:23, 13] = 255  # one pixel wide
    _, mass = moments(Augmentation(thickness=1.0)(thin, np.random.default_rng(0)))
    assert mass.min() > 0.4 * 18 * 255
    assert mass.max() > 1.5 * 18 * 255


def test_outside_of_grey_is_black_and_of_colour_the_edge():
    white = np.full((8, 16, 16), 200, np.uint8)
    colour = np.full((8, 16, 16, 3), 200, np.uint8)
    shift = Augmentation(shift=0.4)
    assert (shift(white, np.random.default_rng(0)) == 0).any()
    assert (shift(colour, np.random.default_rng(0)) == 200).all()


def test_more_images_than_one_remap_takes():
    assert STRONG(bar(2500), np.random.default_rng(0)).shape == (2500, 28, 28)


def test_batches_depend_on_seed_epoch_and_step_only():
    images = np.arange(10 * 16, dtype=np.uint8).reshape(10, 4, 4)
    batches = Batches(images, one_hot(np.arange(10) % 3, 3), 4, STRONG, seed=1)
    assert len(batches) == 3
    first = list(batches.epoch(2))
    again = batches.batch(batches.order(2), 2, 1)
    assert np.array_equal(first[1][0], again[0])
    assert [len(x) for x, _ in first] == [4, 4, 2]
    assert sum(y.sum() for _, y in first) == 10
    assert not np.array_equal(batches.order(2), batches.order(3))


def test_before_wear_a_glyph_is_distorted_alike():
    images, labels = digit_glyphs(64, np.random.default_rng(0))
    worn = Batches(images, one_hot(labels, 10), 64, AUGMENTATIONS["harsh"], seed=1)
    clean = worn.before_wear()
    (first, targets), (second, same) = (one.batch(one.order(3), 3, 0) for one in (worn, clean))
    assert np.array_equal(targets, same)
    unworn = (first == second).all((1, 2, 3)).mean()
    assert 0.1 < unworn < 0.5  # three in ten
    assert not np.array_equal(second, as_input(images[clean.chosen(clean.order(3), 0)]))


def test_network_input_is_rgb_floats():
    bgr = np.zeros((1, 2, 2, 3), np.uint8)
    bgr[..., 2] = 255
    assert as_input(bgr)[0, 0, 0].tolist() == [255, 0, 0]
    assert as_input(np.zeros((3, 4, 5), np.uint8)).shape == (3, 4, 5, 1)
