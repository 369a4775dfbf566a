"""Simulated days of a meter in `glyphlite watch`: how many readings are accepted, and how many of these are wrong?

`python tests/watch_days.py [--days N] [--seed S]`; `make watch-days` makes the table of docs/watch.md.  It wants
$GLYPHLITE_DATA with `meters` and the model of the field that reads them.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "runtime"))
sys.path.insert(0, str(Path(__file__).parent / "runtime/watch"))
from meter import FastClock, Meter, real_digits
from test_watch_day import day, judged, settings

from glyphlite.runtime import Recognizer


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--seed", type=int, default=200, help="Of the first day.")
    asked = parser.parse_args()
    if "GLYPHLITE_DATA" not in os.environ:
        sys.exit("GLYPHLITE_DATA is not set; wanted the folder that holds `meters` and `third-party`")
    data = Path(os.environ["GLYPHLITE_DATA"])
    model = Recognizer.load(data / "third-party" / "dig-class11_1910_s2.tflite")
    pictures = real_digits(data / "meters")
    print("| the last digit | frames | bad ones | accepted | wrong |\n|---|---|---|---|---|")
    for rolls, told in ((False, "jumps"), (True, "rolls, on two frames of three between two values")):
        frames = bad = accepted = wrong = 0
        for seed in range(asked.seed, asked.seed + asked.days):
            clock = FastClock()
            meter = Meter(pictures, clock, rolls=rolls, seed=seed)
            with tempfile.TemporaryDirectory() as folder:
                kept = day(model, meter, clock, settings(5, rolling=rolls), Path(folder) / "watch.sqlite")
            right_or_wrong = judged(kept, meter)
            frames, bad = frames + len(kept), bad + sum(value is None for value in meter.truth.values())
            accepted, wrong = accepted + right_or_wrong[0], wrong + right_or_wrong[1]
        print(f"| {told} | {frames:,} | {bad} | {accepted:,} | {wrong} |", flush=True)


if __name__ == "__main__":
    main()
