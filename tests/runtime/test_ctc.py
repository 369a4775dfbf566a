"""CTC: sums over all ways of the frames, held against enumeration; the search against the best of all texts."""

import itertools

import numpy as np
import pytest

from glyphlite.runtime.ctc import BLANK, align, fold, greedy, log_likelihood, log_softmax, search
from glyphlite.runtime.expect import expectation

LABELS = ("0", "1", ".")


def collapsed(way):
    """The text that a way of the frames says: equal neighbours once, blanks left out."""
    return tuple(c for c, _ in itertools.groupby(way) if c != BLANK)


def enumerated(scores):
    """Every text's probability, by going through all ways of the frames."""
    totals = {}
    for way in itertools.product(range(scores.shape[1]), repeat=len(scores)):
        text = collapsed(way)
        totals[text] = totals.get(text, 0.0) + float(np.exp(sum(scores[t, c] for t, c in enumerate(way))))
    return totals


@pytest.fixture(params=range(8))
def scores(request):
    """(5, 4) log-probabilities of frames."""
    return log_softmax(np.random.default_rng(request.param).normal(0, 2, (5, 4)))


def test_log_softmax_sums_to_one(scores):
    assert np.allclose(np.exp(scores).sum(1), 1)
    assert np.allclose(log_softmax(scores * 3, 3.0), scores)


def test_the_likelihood_is_the_sum_over_all_ways(scores):
    for text, probability in enumerated(scores).items():
        assert np.exp(log_likelihood(scores, text)) == pytest.approx(probability)


def test_the_search_finds_the_most_probable_texts_with_their_probabilities(scores):
    totals = enumerated(scores)
    best = sorted(totals, key=lambda text: -totals[text])
    found = search(scores, LABELS, count=3)
    assert found[0].classes == best[0]
    assert {text.classes for text in found} <= set(best[:5])
    for text in found:
        share = np.exp(text.log_probability) / totals[text.classes]
        assert 0.4 < share <= 1 + 1e-9  # what the beam let go is missing: log_likelihoods tells all of it


def test_an_expectation_takes_the_best_text_that_meets_it(scores):
    totals = enumerated(scores)
    wanted = {text: p for text, p in totals.items() if len(text) == 2 and set(text) <= {1, 2}}
    best = max(wanted, key=wanted.get)
    (found,) = search(scores, LABELS, expectation("[01]{2}"))
    assert found.classes == best
    assert np.exp(found.log_probability) == pytest.approx(wanted[best], rel=1e-6)


def test_more_characters_than_frames_cannot_be_read(scores):
    assert search(scores, LABELS, expectation("[01]{6}")) == []
    assert log_likelihood(scores, (1, 1, 1)) > -np.inf  # 5 frames: 1 blank 1 blank 1
    assert log_likelihood(scores[:4], (1, 1, 1)) == -np.inf


def test_dropped_characters_part_equal_neighbours():
    frames = np.full((3, 4), -20.0)
    frames[[0, 1, 2], [1, 3, 1]] = 0.0  # "0.0"
    scores = log_softmax(frames)
    assert greedy(scores) == (1, 3, 1)
    assert greedy(fold(scores, [3])) == (1, 1)
    (best,) = search(fold(scores, [3]), LABELS)
    assert best.classes == (1, 1)
    assert best.log_probability == pytest.approx(0, abs=1e-6)


def test_the_alignment_is_the_most_probable_way(scores):
    text = search(scores, LABELS)[0].classes
    ways = [way for way in itertools.product(range(4), repeat=5) if collapsed(way) == text]
    best = max(ways, key=lambda way: sum(scores[t, c] for t, c in enumerate(way)))
    aligned = align(scores, text)
    assert [one.column for one in aligned] == list(text)
    for one in aligned:
        assert all(best[t] == one.column for t in range(one.first, one.last + 1))
        assert one.first <= one.peak <= one.last
        assert scores[one.peak, one.column] == max(scores[one.first : one.last + 1, one.column])


def test_nothing_is_read_of_blank_frames():
    scores = log_softmax(np.array([[9.0, 0, 0, 0]] * 4))
    assert search(scores, LABELS)[0].classes == ()
    assert align(scores, ()) == []
