"""What is no character is refused with a reason; what is one is not."""

import cv2
import numpy as np
import pytest
from drawn import LINES, draw, write

from glyphlite.runtime import Recognizer
from glyphlite.runtime.recognizer import NOT_KNOWN, SEVERAL, open_probabilities, softmax
from glyphlite.train.scribbles import scribbles
from glyphlite.train.strokes import digit_glyphs


@pytest.fixture(scope="module")
def model():
    """The shipped model that knows what it does not know."""
    return Recognizer.load("digits-edge")


def page_with(glyph):
    """A 28×28 glyph as dark ink in the middle of a bright page."""
    return cv2.copyMakeBorder(255 - glyph, 30, 30, 30, 30, cv2.BORDER_CONSTANT, value=255)


def test_the_card_says_what_was_measured(model):
    refusal = model.card.refusal
    assert refusal.characters_refused <= 0.02
    assert refusal.others_refused >= 0.9
    assert min(refusal.characters, refusal.others) >= 1000


@pytest.mark.parametrize("digit", LINES)
def test_a_digit_is_not_refused(model, digit):
    assert model.predict(draw(digit)).label == digit


@pytest.mark.parametrize("kind", ["letter", "scribble", "spiral", "star", "house", "texture", "pair", "smiley"])
def test_other_things_are_refused(model, kind):
    drawn = scribbles(40, np.random.default_rng(77), [kind])
    refused = [model.predict(page_with(glyph)).label is None for glyph in drawn]
    assert np.mean(refused) >= 0.85


def test_drawn_digits_are_answered(model):
    images, labels = digit_glyphs(200, np.random.default_rng(77))
    answers = [model.predict(page_with(glyph)).label for glyph in images]
    assert np.mean([answer is None for answer in answers]) <= 0.05
    right = [answer == str(label) for answer, label in zip(answers, labels, strict=True) if answer is not None]
    assert np.mean(right) > 0.97


def test_the_reason_says_what_it_looked_like(model):
    (star,) = scribbles(1, np.random.default_rng(3), ["star"])
    answer = model.predict(page_with(star))
    assert answer.label is None
    assert answer.reason.startswith(NOT_KNOWN) and f"for {answer.top[0][0]}" in answer.reason
    assert answer.box is not None and answer.glyph is not None


def test_two_digits_are_more_than_one(model):
    answer = model.predict(write("10"))
    assert answer.label is None
    assert answer.reason == SEVERAL


def test_a_caller_may_move_the_operating_point(model):
    (star,) = scribbles(1, np.random.default_rng(3), ["star"])
    assert model.predict(page_with(star), min_confidence=0.0).label is not None
    assert model.predict(draw("3"), min_confidence=1.0).label is None


def test_a_line_without_a_sure_character_is_no_line(model):
    drawn = [page_with(glyph) for glyph in scribbles(4, np.random.default_rng(5), ["spiral"])]
    assert model.read(np.concatenate(drawn, 1)).text == ""


def test_rows_of_predict_batch_sum_to_one_all_the_same(model):
    glyphs = scribbles(20, np.random.default_rng(0))
    assert model.predict_batch(glyphs).sum(1) == pytest.approx(np.ones(20), abs=1e-5)


def test_open_probabilities_leave_room_for_everything_else():
    logits = np.array([[5.0, -2.0], [-9.0, -8.0], [800.0, 0.0], [-800.0, -800.0]])
    shares = open_probabilities(logits)
    assert (shares >= 0).all() and (shares.sum(1) <= 1 + 1e-12).all()
    assert shares[1].sum() < 0.001 < 0.99 < shares[2].sum()
    among = shares / shares.sum(1, keepdims=True).clip(1e-300)
    assert among[:2] == pytest.approx(softmax(logits[:2].copy()), rel=1e-6)
