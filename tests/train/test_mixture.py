"""What digits are mixed with: drawn digits, outliers, and a loss that learns from them."""

import numpy as np
import pytest

from glyphlite.runtime import TrainingError
from glyphlite.runtime.recognizer import open_probabilities, softmax
from glyphlite.train.calibration import fit_refusal
from glyphlite.train.datasets import Dataset
from glyphlite.train.letters import LETTERS
from glyphlite.train.losses import label_loss, right_answers
from glyphlite.train.mixture import DIGITS, drawn_digits, mixed, mixed_batches, outliers
from glyphlite.train.strokes import digit_glyphs


@pytest.fixture(scope="module")
def digits():
    """300 drawn digits, as a data set."""
    images, labels = digit_glyphs(300, np.random.default_rng(0))
    return Dataset("drawn", "train", images, labels, DIGITS)


def test_no_digit_is_among_the_letters():
    assert not set("OISZ0123456789abglqosz") & set(LETTERS)
    assert set("ABCDEFGHJKLMNPQRTUVWXY") <= set(LETTERS)


def test_the_same_seed_mixes_the_same(digits):
    first, others = mixed(digits, 0.5, 0.3, seed=1)
    again, others_again = mixed(digits, 0.5, 0.3, seed=1)
    assert len(first) == 450 and len(others) == 90
    assert np.array_equal(first.images, again.images) and np.array_equal(others, others_again)
    assert np.array_equal(first.images[:300], digits.images)
    assert not np.array_equal(others, mixed(digits, 0.5, 0.3, seed=2)[1])
    assert mixed(digits, 0, 0, seed=1)[0] is digits


def test_outliers_are_glyphs_with_ink(digits):
    others = outliers(200, digits, np.random.default_rng(0))
    assert others.shape == (200, 28, 28) and others.dtype == np.uint8
    assert (others.max((1, 2)) > 150).all()


def test_drawn_digits_have_every_label():
    images, labels = drawn_digits(500, np.random.default_rng(0))
    assert images.shape == (500, 28, 28)
    assert np.bincount(labels, minlength=10).min() > 25


def test_an_outliers_target_is_all_zeros(digits):
    batches = mixed_batches(digits, {"outliers": 0.5, "batch_size": 64}, seed=0)
    assert len(batches.images) == 450
    known = batches.targets.sum(1)
    assert np.array_equal(known, np.repeat([1.0, 0.0], [300, 150]))
    plain = mixed_batches(digits, {}, seed=0)
    assert len(plain.images) == 300 and plain.batch_size == 128


def test_what_is_no_set_of_digits_cannot_be_mixed(shapes):
    with np.load(shapes) as data:
        other = Dataset("shapes", "all", data["images"], data["labels"].astype(np.int64), tuple("0123"))
    with pytest.raises(TrainingError, match=r"4 classes of 20 × 20 × 1; .* made with the digits 0 to 9"):
        mixed(other, 0.1, 0, seed=0)


# --- the loss --------------------------------------------------------------------------------------------------------

LOGITS = np.array([[3.0, -1.0, 0.5], [-2.0, -3.0, -1.0], [0.0, 8.0, 2.0]], np.float32)


def test_the_closed_loss_is_cross_entropy():
    labels = np.eye(3, dtype=np.float32)
    expected = -np.log(softmax(LOGITS.copy())[np.arange(3), np.arange(3)])
    assert np.asarray(label_loss()(labels, LOGITS)) == pytest.approx(expected, rel=1e-3)


def test_the_open_loss_knows_what_is_none_of_the_classes():
    open_shares = open_probabilities(LOGITS.astype(np.float64))
    assert (open_shares.sum(1) < 1).all()
    labels = np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0]], np.float32)
    expected = -np.log([open_shares[0, 0], 1 - open_shares[1].sum(), open_shares[2, 1]])
    assert np.asarray(label_loss(is_open=True)(labels, LOGITS)) == pytest.approx(expected, rel=1e-3)


def test_smoothing_leaves_an_outlier_alone():
    labels = np.array([[1, 0, 0], [0, 0, 0]], np.float32)
    smooth = np.asarray(label_loss(0.1, is_open=True)(labels, LOGITS[:2]))
    sharp = np.asarray(label_loss(0.0, is_open=True)(labels, LOGITS[:2]))
    assert smooth[1] == sharp[1]
    assert smooth[0] != sharp[0]


# --- the operating point ---------------------------------------------------------------------------------------------


def test_the_operating_point_refuses_one_in_a_hundred():
    rng = np.random.default_rng(0)
    characters = rng.normal(0, 1, (5000, 10)) + 8 * np.eye(10)[rng.integers(10, size=5000)]
    others = rng.normal(-3, 1, (2000, 10))
    refusal = fit_refusal(characters, others, temperature=1.0)
    assert refusal.characters_refused == pytest.approx(0.01, abs=0.001)
    assert refusal.others_refused > 0.99
    assert 0 < refusal.min_confidence < 1
    assert (refusal.characters, refusal.others) == (5000, 2000)


def test_an_outlier_is_answered_right_where_no_class_is_likelier_than_none():
    labels = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)
    assert np.asarray(right_answers(labels, LOGITS)).tolist() == [1, 1, 0]
    assert np.asarray(right_answers(np.eye(3, dtype=np.float32)[[1, 2, 1]], LOGITS)).tolist() == [0, 1, 1]
