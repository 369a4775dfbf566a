"""Judges in a model's geometry, classes matched, errors counted."""

import numpy as np
import pytest

from glyphlite.benchmarks.accuracy import answers, judge, load_judges, macro_f1
from glyphlite.runtime import DatasetError, Recognizer
from glyphlite.runtime.bundle import Card


def test_errors_of_a_bundle_whose_labels_are_in_another_order(grey_bundle, grey_npz):
    recognizer = Recognizer.load(grey_bundle)
    judges = load_judges(str(grey_npz), recognizer.card, bare=False)
    found = judge(recognizer, judges)
    assert (found.errors, found.images) == (3, 20)
    assert found.interval == pytest.approx((0.0524, 0.3604), abs=1e-4)
    assert found.ece == pytest.approx(0.15, abs=0.02)  # it is sure of each answer and right in 17 of 20


def test_colour_is_given_as_rgb(colour_model, colour_folder):
    recognizer = Recognizer.load(colour_model)
    judges = load_judges(str(colour_folder), recognizer.card, bare=True)
    assert len(judges.order) == 4  # told in the notes: no name was matched
    assert judges.glyphs.shape == (20, 12, 8, 3)
    assert judges.glyphs[0, 0, 0].argmax() == 2  # the first class is blue
    assert judge(recognizer, judges).errors == 1


def test_many_images_are_sampled_by_class_and_alike_each_time(tmp_path):
    labels = np.repeat([0, 1, 2], [500, 300, 200])
    np.savez(tmp_path / "many.npz", images=np.zeros((1000, 4, 4), np.uint8), labels=labels)
    card = Card("three", ("0", "1", "2"), (4, 4, 1), "stretch")
    first, second = (load_judges(str(tmp_path / "many.npz"), card, False, limit=100) for _ in range(2))
    assert np.bincount(first.labels).tolist() == [50, 30, 20]
    assert first.available == 1000
    assert np.array_equal(first.labels, second.labels)


def test_an_ink_model_is_judged_on_glyphs_only(tmp_path):
    np.savez(tmp_path / "photos.npz", images=np.zeros((4, 40, 30), np.uint8), labels=[0, 1, 0, 1])
    card = Card("digits", ("0", "1"), (28, 28, 1), "mnist")
    with pytest.raises(DatasetError, match="images of 40 × 30; digits is judged on glyphs of 28 × 28"):
        load_judges(str(tmp_path / "photos.npz"), card, bare=False)


def test_an_ink_model_takes_colour_glyphs_as_grey(tmp_path):
    images = np.full((4, 28, 28, 3), 90, np.uint8)
    np.savez(tmp_path / "glyphs.npz", images=images, labels=[0, 1, 0, 1])
    judges = load_judges(str(tmp_path / "glyphs.npz"), Card("digits", ("0", "1"), (28, 28, 1), "mnist"), bare=False)
    assert judges.glyphs.shape == (4, 28, 28)
    assert judges.glyphs.min() == judges.glyphs.max() == 90


def test_a_card_that_crops_is_given_the_middle(tmp_path):
    images = np.zeros((2, 4, 12), np.uint8)
    images[:, :, 4:8] = 255  # the middle third
    np.savez(tmp_path / "wide.npz", images=images, labels=[0, 1])
    judges = load_judges(str(tmp_path / "wide.npz"), Card("square", ("0", "1"), (4, 4, 1), "crop"), bare=False)
    assert judges.glyphs.min() == 255


def test_answers_do_not_depend_on_how_many_are_asked_at_once(grey_bundle):
    glyphs = np.random.default_rng(0).integers(0, 256, (300, 12, 8)).astype(np.uint8)
    recognizer = Recognizer.load(grey_bundle)
    together = answers(recognizer, glyphs)
    alone = np.concatenate([recognizer.predict_batch(glyph[None]) for glyph in glyphs])
    assert np.allclose(together, alone, atol=1e-5)


def test_macro_f1_is_the_classes_mean():
    """Of three classes, by hand: F1 of 2·2/(2+3), 2·1/(2+1) and 2·1/(1+1)."""
    labels, answered = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 1, 2])
    assert macro_f1(answered, labels) == pytest.approx((4 / 5 + 2 / 3 + 1) / 3)
    assert macro_f1(labels, labels) == 1.0
