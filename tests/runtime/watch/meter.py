"""A meter that runs, seen by a camera that sometimes sees badly; and a clock that does not wait."""

import time

import cv2
import numpy as np
from drawn import draw

from glyphlite.runtime.watch.frame import Frame, live_key

CELL = (32, 20)  # rows and columns of a digit in the frame
BAD = ("black", "glare", "noise", "nudged", "covered", "blurred", "another number", "no picture")


class FastClock:
    """A day in as long as the work of it takes."""

    def __init__(self, start=1_700_000_000.0):
        self.time = self.since = start

    def now(self):
        return self.time

    def steady(self):
        return self.since

    def wait(self, event, seconds):
        if not event.is_set():
            self.time, self.since = self.time + max(0.0, seconds), self.since + max(0.0, seconds)
        return event.is_set()


def drawn_digits():
    """Digit to pictures of it, of a pen."""
    return {str(d): [cv2.resize(draw(str(d), shape=(208, 130)), CELL[::-1], interpolation=3)] for d in range(10)}


def real_digits(folder):
    """Digit to pictures of it, cut from meters' displays."""
    read = {d: sorted((folder / d).iterdir()) for d in map(str, range(10))}
    return {
        d: [cv2.resize(cv2.imread(str(file)), CELL[::-1], interpolation=3) for file in files]
        for d, files in read.items()
    }


class Meter:
    """A source: a counter of `digits` digits, the last of which rolls, that rises by `speed` an hour.

    truth: of each frame's time, what the counter stood at; None where the frame is bad.
    """

    paced = True

    def __init__(self, pictures, clock, *, digits=5, start=1234.0, speed=40.0, bad=0.01, rolls=True, seed=0):
        self.pictures, self.clock, self.digits = pictures, clock, digits
        self.start, self.speed, self.bad, self.rolls = start, speed, bad, rolls
        self.rng, self.begun, self.truth, self.looks = np.random.default_rng(seed), clock.now(), {}, {}

    @property
    def value(self):
        return self.start + self.speed * (self.clock.steady() - self.begun) / 3600

    def picture(self, place, digit):
        """The same for a digit at a place for as long as the meter hangs there: its wheels do not change."""
        if (place, digit) not in self.looks:
            choice = self.pictures[digit]
            self.looks[place, digit] = choice[self.rng.integers(len(choice))]
        return self.looks[place, digit]

    def show(self, value):
        """The display: its last wheel between two digits where it rolls."""
        text = f"{int(value) % 10**self.digits:0{self.digits}}"
        cells = [self.picture(place, digit) for place, digit in enumerate(text)]
        if self.rolls:
            up = round(value % 1 * CELL[0])
            following = self.picture(self.digits - 1, str((int(text[-1]) + 1) % 10))
            cells[-1] = np.concatenate([cells[-1], following])[up : up + CELL[0]]
        return np.concatenate(cells, axis=1)

    def take(self, wait):
        value, now = self.value, self.clock.now()
        pixels, kind = self.show(value), ""
        if self.rng.random() < self.bad:
            kind = BAD[self.rng.integers(len(BAD))]
            pixels = self.spoiled(pixels, kind)
        else:
            light = self.rng.normal(1, 0.05)
            noise = self.rng.normal(0, 3, pixels.shape)
            pixels = np.clip(pixels * light + noise, 0, 255).astype(np.uint8)
        self.truth[live_key(now)] = None if kind else value
        return Frame(live_key(now), now, pixels, "no picture comes" if pixels is None else "")

    def spoiled(self, pixels, kind):
        width = pixels.shape[1]
        if kind == "no picture":
            return None
        if kind == "black":
            return np.zeros_like(pixels)
        if kind == "noise":
            return self.rng.integers(0, 256, pixels.shape, np.uint8)
        if kind == "nudged":
            return np.roll(pixels, self.rng.integers(6, CELL[1] - 6), axis=1)
        if kind == "blurred":
            return cv2.blur(pixels, (15, 15))
        if kind == "another number":
            return self.show(self.rng.integers(10**self.digits))
        spoiled = pixels.copy()
        left = self.rng.integers(width - CELL[1])
        spoiled[:, left : left + 30] = 255 if kind == "glare" else 40
        return spoiled

    def done(self, frame):
        pass

    def close(self):
        pass


def wait_until(true, seconds=20):
    """Whether something comes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False
