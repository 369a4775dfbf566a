"""Scores of frames to texts: connectionist temporal classification (Graves et al. 2006).

Each frame of a strip says a character or blank; equal neighbours are one, and blanks part what is twice.  The
probability of a text is the sum over all ways in which the frames may say it; the prefix beam search (Hannun et al.
2014, algorithm 1) adds them up for the texts that are likely, or for those that are expected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .expect import Expectation

Scores = NDArray[np.floating[Any]]

BLANK = 0  # the class of no character; those of the labels follow
BEAM = 6  # texts that are followed from frame to frame, and two for each one that is wanted;
EXPECTED_BEAM = 96  # with an expectation, which may want what is not likely
LEAST = -7.0  # log-probability: a less probable character is not tried at a frame, without an expectation
SURELY_BLANK = -1e-4  # log-probability of blank at which no character is tried either
NEVER = -np.inf


@dataclass(frozen=True)
class Text:
    """A text and the logarithm of its probability; `classes` are its characters' numbers."""

    classes: tuple[int, ...]
    log_probability: float


@dataclass(frozen=True)
class Aligned:
    """One character of an aligned text.  first, last: frames that say it.  peak: the one that does so most surely."""

    column: int
    first: int
    last: int
    peak: int


def log_softmax(logits: Scores, temperature: float = 1.0) -> Scores:
    """(…, classes) log-probabilities."""
    scaled = np.asarray(logits, np.float64) / temperature
    scaled = scaled - scaled.max(-1, keepdims=True)
    return np.asarray(scaled - np.log(np.exp(scaled).sum(-1, keepdims=True)))


def fold(log_probabilities: Scores, dropped: Sequence[int]) -> Scores:
    """The same frames where dropped characters say blank: they part equal neighbours, as blank does."""
    folded = np.array(log_probabilities, np.float64)
    folded[:, BLANK] = np.logaddexp.reduce(log_probabilities[:, [BLANK, *dropped]], axis=1)
    folded[:, list(dropped)] = NEVER
    return folded


def greedy(scores: Scores) -> tuple[int, ...]:
    """The classes that the frames (T, classes) say, each by itself: the quickest way."""
    best = scores.argmax(-1)
    return tuple(int(c) for c, before in zip(best, [BLANK, *best[:-1]], strict=True) if c not in (BLANK, before))


def search(
    log_probabilities: Scores, labels: Sequence[str], expected: Expectation | None = None, count: int = 1
) -> list[Text]:
    """The `count` most probable texts, most probable first; none where nothing expected can be read.

    log_probabilities: (T, 1 + labels); the blank's first.
    """
    width = max(2 * count, BEAM if expected is None else EXPECTED_BEAM)
    # of each prefix: log-probability that it ends in blank, and that it ends in its last character; what is expected
    beams: dict[tuple[int, ...], tuple[float, float, Expectation | None]] = {(): (0.0, NEVER, expected)}
    for frame in np.asarray(log_probabilities, np.float64):
        blank, row = float(frame[BLANK]), frame.tolist()
        if expected is None:
            likely = [c for c, one in enumerate(row) if one >= LEAST and c != BLANK and blank < SURELY_BLANK]
        else:
            likely = [c for c, one in enumerate(row) if one > NEVER and c != BLANK]
        if not likely:  # most frames: no text is new, and all stay
            beams = {
                prefix: (_plus(in_blank, in_last) + blank, in_last + row[prefix[-1]] if prefix else NEVER, state)
                for prefix, (in_blank, in_last, state) in beams.items()
            }
            continue
        after: dict[tuple[int, ...], list[Any]] = {}
        for prefix, (in_blank, in_last, state) in beams.items():
            total = _plus(in_blank, in_last)
            same = after.setdefault(prefix, [NEVER, NEVER, state])
            same[0] = _plus(same[0], total + blank)
            if prefix:
                same[1] = _plus(same[1], in_last + row[prefix[-1]])
            for c in likely:
                ahead = state if state is None else state.after(labels[c - 1])
                if state is not None and ahead is None:
                    continue
                start = in_blank if prefix and prefix[-1] == c else total
                longer = after.setdefault((*prefix, c), [NEVER, NEVER, ahead])
                longer[1] = _plus(longer[1], start + row[c])
        kept = sorted(after.items(), key=lambda item: -_plus(item[1][0], item[1][1]))[:width]
        beams = {prefix: (a, b, state) for prefix, (a, b, state) in kept}
    ends = [
        Text(prefix, _plus(a, b))
        for prefix, (a, b, state) in beams.items()
        if (state is None or state.is_met()) and _plus(a, b) > NEVER
    ]
    return sorted(ends, key=lambda text: -text.log_probability)[:count]


def align(log_probabilities: Scores, classes: Sequence[int]) -> list[Aligned]:
    """Which frames say each character of a text, on the most probable way (Viterbi)."""
    if not classes:
        return []
    (states,), (may_skip,) = _states([classes])
    emitted = np.asarray(log_probabilities, np.float64)[:, states]
    score = np.full(len(states), NEVER)
    score[:2] = emitted[0, :2]
    back = np.zeros(emitted.shape, np.int64)
    before = np.full(len(states) + 2, NEVER)
    for t in range(1, len(emitted)):
        before[2:] = score
        choices = np.stack([score, before[1:-1], np.where(may_skip, before[:-2], NEVER)])
        back[t] = choices.argmax(0)
        score = choices.max(0) + emitted[t]
    state = len(states) - 1 if score[-1] >= score[-2] else len(states) - 2
    way = np.empty(len(emitted), np.int64)
    for t in range(len(emitted) - 1, -1, -1):
        way[t] = state
        state -= back[t, state]
    found = []
    for number, c in enumerate(classes):
        frames = np.flatnonzero(way == 2 * number + 1)
        if len(frames):
            peak = frames[int(emitted[frames, 2 * number + 1].argmax())]
            found.append(Aligned(int(c), int(frames[0]), int(frames[-1]), int(peak)))
    return found


def log_likelihood(log_probabilities: Scores, classes: Sequence[int]) -> float:
    """Logarithm of a text's probability (Graves et al. 2006, section 4.1)."""
    return float(log_likelihoods(log_probabilities, [classes])[0])


def log_likelihoods(log_probabilities: Scores, texts: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """(texts,) logarithms of the probabilities of texts under the same frames."""
    states, may_skip = _states(texts)
    emitted = np.asarray(log_probabilities, np.float64)[:, states]  # (frames, texts, states)
    # two columns that are never reached stand before the states, for the steps from there
    score = np.full((len(texts), states.shape[1] + 2), NEVER)
    score[:, 2:4] = emitted[0, :, :2]
    with np.errstate(invalid="ignore"):
        for row in emitted[1:]:
            stayed = np.logaddexp(score[:, 2:], score[:, 1:-1])
            score[:, 2:] = np.logaddexp(stayed, np.where(may_skip, score[:, :-2], NEVER)) + row
    ends = 2 * np.array([len(text) for text in texts], np.int64)[:, None] + 2
    before = np.where(ends > 2, np.take_along_axis(score, ends - 1, 1), NEVER)
    return np.asarray(np.logaddexp(np.take_along_axis(score, ends, 1), before)[:, 0])


def _states(texts: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """(texts, states) each: the classes that frames say one after the other, a blank before and after each character
    (the shorter texts end in more of them), and whether the state may be reached past the blank before it."""
    longest = max(map(len, texts), default=0)
    states = np.full((len(texts), 2 * longest + 1), BLANK, np.int64)
    for row, text in zip(states, texts, strict=True):
        row[1 : 2 * len(text) : 2] = text
    may_skip = np.zeros(states.shape, np.bool_)
    may_skip[:, 2:] = (states[:, 2:] != BLANK) & (states[:, 2:] != states[:, :-2])
    return states, may_skip


def _plus(a: float, b: float) -> float:
    """Logarithm of the sum of two probabilities."""
    if a < b:
        a, b = b, a
    return a if b == NEVER else a + math.log1p(math.exp(b - a))
