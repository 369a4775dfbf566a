"""A day of a meter, a frame a minute and one in a hundred bad: what is accepted is right."""

import threading

import pytest
from meter import CELL, FastClock, Meter, drawn_digits, real_digits

from glyphlite.runtime import Recognizer
from glyphlite.runtime.watch.loop import Watcher, iso
from glyphlite.runtime.watch.settings import Counter, Region, Settings, Source
from glyphlite.runtime.watch.store import Store

HOURS = 24


def settings(digits, **more):
    boxes = tuple((place * CELL[1], 0, CELL[1], CELL[0]) for place in range(digits))
    region = Region("total", boxes=boxes, digits=digits, counter=Counter(max_per_hour=120), **more)
    return Settings("meter", Source(camera="0"), (region,), interval=60, drift=0)


def day(recognizer, meter, clock, wanted, path, hours=HOURS):
    """Every reading of a day."""
    stop, store = threading.Event(), Store(path, 16, [])
    end = clock.steady() + 3600 * hours
    kept = []
    keep = store.keep
    store.keep = lambda records, states, frame=None: (kept.extend(records), keep(records, states, frame))
    take = meter.take
    meter.take = lambda wait: take(wait) if clock.steady() < end else stop.set()
    Watcher(wanted, recognizer, meter, store, [], lambda line: None, clock).run(stop)
    store.close()
    return kept


def judged(kept, meter):
    """(accepted, wrong) of a day's readings; a wheel on its way may be read as either of its digits."""
    truth = {iso(float(key[1:])): value for key, value in meter.truth.items()}
    accepted = wrong = 0
    for record in kept:
        if record.body["kind"] == "value":
            value = truth[record.body["time"]]
            accepted += 1
            wrong += value is None or not -1 < int(record.body["value"]) - value <= 1
    return accepted, wrong


@pytest.mark.parametrize(("rolls", "least"), [(False, 0.95), (True, 0.25)], ids=["jumping", "rolling"])
def test_a_day_of_a_real_meters_digits(data_root, tmp_path, rolls, least):
    """The model calls a wheel between two digits none: such a reading is refused."""
    clock = FastClock()
    meter = Meter(real_digits(data_root / "meters"), clock, rolls=rolls)
    model = Recognizer.load(data_root / "third-party" / "dig-class11_1910_s2.tflite")
    kept = day(model, meter, clock, settings(5, rolling=rolls), tmp_path / "watch.sqlite")
    accepted, wrong = judged(kept, meter)
    assert len(kept) == 60 * HOURS
    assert wrong == 0
    assert accepted > least * len(kept)


def test_two_hours_of_a_drawn_wheel(model, tmp_path):
    """Where the real digits are not at hand, and with a model that has no word for a wheel between two digits."""
    clock = FastClock()
    meter = Meter(drawn_digits(), clock, bad=0.06)
    kept = day(model, meter, clock, settings(5, rolling=True), tmp_path / "watch.sqlite", hours=2)
    accepted, wrong = judged(kept, meter)
    assert wrong == 0
    assert accepted > 0.5 * len(kept)
