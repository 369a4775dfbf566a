"""Expectations: a pattern agrees with Python's `re`, a checksum with its definition."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.runtime.errors import ExpectationError
from glyphlite.runtime.expect import expectation


def met(wanted, text):
    """Whether an expectation is met by a text, label by label."""
    state = expectation(wanted)
    for label in text:
        state = state.after(label)
        if state is None:
            return False
    return state.is_met()


PATTERNS = [
    r"\d{4}", r"\d{2,3}", r"\d{3,}", "1?2*3+", "12|34|5", "(12|3)+", "[0-3]7", r"\d+\.\d{2}", r"1.3", "",
    r"(1|12)(3|23)",    r"(\d{3} ?){2}", r"[12\d]x", "((1|2)?3){2}", "a{0}b", r"\(\d\)", "(1*)*2", "(1?){3}2",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@given(text=st.text("0123457.x ab()^", max_size=7))
def test_a_pattern_means_what_it_means_to_re(pattern, text):
    assert met(pattern, text) == bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize(
    ("pattern", "texts"), [(r"\d{4}", ["1234"]), ("(12|3)+", ["12312"]), ("1?2*3+", ["3", "1223"])]
)
def test_what_matches_is_found(pattern, texts):
    assert all(met(pattern, text) for text in texts)


def test_values_are_a_list_of_texts():
    assert met(["12", "120", "7"], "120")
    assert met(["12", "120", "7"], "12")
    assert not met(["12", "120", "7"], "1")
    assert not met(["12"], "121")


@pytest.mark.parametrize(
    ("wanted", "named"),
    [(r"\d\d/\d\d", "/"), (r"(1|\d[.,]){2}", ".,"), (r"\d.\d", ""), (["1-2", "3"], "-"), (r"(?luhn)\d{4}-?\d", "-")],
)
def test_the_signs_that_are_named(wanted, named):
    assert "".join(sign for sign in "/.,-:=" if expectation(wanted).names(sign)) == named


@given(st.text("0123456789", max_size=20))
def test_luhn_is_the_sum_of_its_definition(text):
    total = 0
    for place, digit in enumerate(reversed(text)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    assert met("(?luhn)", text) == (total % 10 == 0)


def test_a_pattern_and_a_checksum_hold_together():
    assert met(r"(?luhn)\d{16}", "4539578763621486")
    assert not met(r"(?luhn)\d{16}", "4539578763621487")
    assert not met(r"(?luhn)\d{15}", "4539578763621486")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(12", r"not closed"), ("12)", r"too many"), ("*1", r"nothing in front of '\*'"), ("1{2", "ends too soon"),
        ("1{a}", r"wanted \{n\}"), ("1{3,2}", "rising"), (r"\w", r"'\\w' is not known"), ("[]", "class of nothing"),
        ("[9-0]", "holds nothing"), ("(?:1)", r"\(\?luhn\) in front only"), ("\\", "ends too soon"),
        ("[^1]", "not known"), ("(" * 30, "more than 20 groups"), ("1" * 501, "at most 500"),
        ("[ -\U0010ffff]", "more than 1000 characters"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_named_with_its_place(pattern, reason):
    with pytest.raises(ExpectationError, match=reason):
        expectation(pattern)


@pytest.mark.parametrize("wanted", [3, [1, 2], b"12"])
def test_what_is_neither_a_pattern_nor_texts(wanted):
    with pytest.raises(ExpectationError, match="; wanted a pattern or a list of texts"):
        expectation(wanted)


def test_an_empty_list_is_refused():
    with pytest.raises(ExpectationError, match="at least one"):
        expectation([])


@pytest.mark.parametrize(
    "pattern", [r"(((\d?){1000}){1000}){1000}", r"(\d{0,999}){0,999}" * 5, "1?" * 250, "(.*1.{50}){99}" * 5]
)
def test_a_pattern_that_costs_too_much_says_so_and_ends(pattern):
    with pytest.raises(ExpectationError, match=r"takes over 500,000 steps to follow; wanted fewer repetitions"):
        met(pattern, "10110" * 200)


def test_what_all_lines_ask_of_a_pattern_is_found_once():
    start = expectation(r"(\d|\d\d|\d{3}){0,1000}")
    for _ in range(100):  # each by itself takes a sixth of what all may take together
        state = start
        for label in "1" * 60:
            state = state.after(label)
        assert state.is_met()
