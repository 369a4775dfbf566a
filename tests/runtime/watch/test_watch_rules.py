"""Which readings of a counter are believed: each a meter, what was seen of it minute by minute, and what came of it."""

import pytest

from glyphlite.runtime.watch.reading import Seen, shown
from glyphlite.runtime.watch.rules import State, judge
from glyphlite.runtime.watch.settings import Counter, Region

MINUTE, HOUR = 60.0, 3600.0


def meter(**counter):
    return Region("total", digits=4, counter=Counter(**{"max_per_hour": 60, **counter}))


def follow(region, *seen, step=MINUTE, state=None, start=1000.0):
    """The value of each reading, None where it was refused; a reading is a text, or several."""
    state, values = state or State(), []
    for minute, one in enumerate(seen):
        texts = (one,) if isinstance(one, str) else one
        verdict, state = judge(region, Seen(texts, 1.0, reason=None if texts else "dark"), state, start + step * minute)
        values.append(verdict.value)
    return values


def test_the_second_of_two_that_agree_is_the_first_believed():
    assert follow(meter(), "0100", "0101", "0102") == [None, "0101", "0102"]
    assert follow(meter(), "9000", "0101", "0102", "0103") == [None, None, "0102", "0103"]
    assert follow(meter(start=100), "0101", "0102") == ["0101", "0102"]


def test_it_never_falls_and_does_not_leap():
    assert follow(meter(start=100), "0101", "0099", "0102", "0500", "0103") == ["0101", None, "0102", None, "0103"]


def test_a_reason_names_both_values():
    state = State(100, 1000.0)
    assert judge(meter(), Seen(("0099",), 1.0), state, 1060.0)[0].reason == "0099 after 0100: it never falls"
    assert judge(meter(), Seen(("0500",), 1.0), state, 1060.0)[0].reason == "0500 after 0100: more than 60 an hour"
    assert judge(meter(), Seen((), 0.2, reason="dark"), state, 1060.0)[0].reason == "dark"


def test_after_a_pause_it_may_have_run_for_as_long():
    region = meter(start=100, confirm=False)
    assert follow(region, "0101", "0160", step=HOUR) == ["0101", "0160"]
    assert follow(region, "0101", "0163", step=HOUR) == ["0101", None]


def test_a_step_of_more_than_one_is_believed_when_the_next_reading_agrees():
    assert follow(meter(start=100), "0101", "0160", "0160", step=HOUR) == ["0101", None, "0160"]
    assert follow(meter(start=100), "0101", "0103", "0102", "0102", step=HOUR) == ["0101", None, None, "0102"]
    seen = ("0100", "0120", "0140", "0160", "0161")
    assert follow(meter(start=100), *seen, step=HOUR) == ["0100", None, "0120", "0140", "0161"]
    state = State(100, 1000.0)
    verdict, state = judge(meter(), Seen(("0120",), 1.0), state, 9000.0)
    assert verdict.reason == "0120 waits for one that agrees"
    verdict, _ = judge(meter(), Seen(("0140",), 1.0), state, 12_600.0)
    assert (verdict.value, verdict.time) == ("0120", 9000.0)


def test_of_two_that_contradict_each_other_the_next_reading_decides():
    def later(*seen):
        return follow(meter(start=100), "0100", *seen, step=HOUR)[1:]

    assert later("0120", "0103", "0104") == [None, None, "0104"]
    assert later("0120", "0103", "0121", "0121") == [
        None,
        None,
        None,
        "0121",
    ]  # both may be before 121: neither is believed
    assert later("0120", "0103", (), "0121", "0121") == [None, None, None, None, "0121"]
    assert later("0120", "0103", "0102", "0102") == [None, None, None, "0102"]


def test_a_clock_that_is_set_moves_all_that_is_remembered():
    assert State(1, 10.0, 2, 20.0, 1, 3, 15.0).moved(-5) == State(1, 5.0, 2, 15.0, 1, 3, 10.0)
    assert State().moved(3600) == State()  # nothing is remembered yet


def test_decimals_have_their_zeros():
    assert shown(Region("a", digits=5, decimals=5), "00123") == "0.00123"
    assert shown(Region("a", decimals=3), "12") == "0.012"
    assert shown(Region("a", decimals=2), "1234") == "12.34"


def test_it_begins_again_after_its_last_number():
    assert follow(meter(start=9998), "9999", "0000", "0001") == ["9999", "0000", "0001"]
    assert follow(meter(start=9998, max_per_hour=None), "9999", "0000") == ["9999", None]


def test_of_a_wheel_between_two_digits_the_lower_one_that_may_be():
    assert follow(meter(start=100), ("0100", "0101"), ("0101", "0102"), "0102") == ["0100", "0101", "0102"]
    assert follow(meter(start=101), ("0100", "0101")) == ["0101"]
    assert follow(meter(start=199), ("0199", "0299", "0100", "0200")) == ["0199"]
    assert follow(meter(start=200), ("0199", "0299", "0100", "0200")) == ["0200"]


def test_decimals_are_shown_and_count():
    region = Region("total", digits=4, decimals=3, counter=Counter(max_per_hour=0.06, start=0.1, confirm=False))
    assert follow(region, "0101", "0105", "0103") == ["0.101", None, "0.103"]
    assert follow(Region("t", digits=2, decimals=2), "07") == ["0.07"]


def test_a_clock_that_is_set_back_gives_no_time_to_run_and_holds_nothing_up():
    region, state = meter(), State(100, 50_000.0)
    assert follow(region, "0101", "0102", "0103", state=state) == ["0101", "0102", "0103"]
    assert follow(region, "0150", "0151", state=state) == [None, None]


def test_an_old_picture_gives_none_to_those_after_it():
    def later(*seen):
        state, values = State(), []
        for time, text in seen:
            verdict, state = judge(meter(start=100, max_per_hour=1), Seen((text,), 1.0), state, time)
            values.append(verdict.value)
        return values

    believed, old = (50_000.0, "0100"), (300.0, "0100")
    assert later(believed, old, (50_720.0, "0110"), (50_780.0, "0110")) == ["0100", "0100", None, None]
    assert later(believed, old, (49_900.0, "0110"), (49_960.0, "0110")) == ["0100", "0100", None, None]
    assert later(believed, (57_200.0, "0102"), old, (57_260.0, "0102"), (57_320.0, "0102"))[3:] == [None, "0102"]


def test_a_new_meter_is_believed_only_where_that_was_wanted():
    assert follow(meter(start=5000), *["0001"] * 5) == [None] * 5
    assert follow(meter(start=5000, recover=3), "0001", "0001", "0002", "0002") == [None, None, "0002", "0002"]
    assert follow(meter(start=5000, recover=3), "0001", "0777", "0001", "0777") == [None] * 4


def test_what_is_no_counter_is_believed_as_it_is():
    region = Region("plate", digits=4)
    assert follow(region, "0100", "0001", ()) == ["0100", "0001", None]


@pytest.mark.parametrize("digits", [1, 18])
def test_the_fewest_and_the_most_digits(digits):
    region = Region("total", digits=digits, counter=Counter(max_per_hour=60, start=0))
    assert follow(region, "1".zfill(digits)) == ["1".zfill(digits)]
