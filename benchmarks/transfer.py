"""What knowing letters gains on digits of which few are labelled: `python -m glyphlite.benchmarks.transfer OUT`.

`edge` learns the letters A to Z; from its weights (`glyphlite train --from`: all but the head) and from none it learns
MNIST's digits with about 10, 100 and 1,000 labels a class, on the same images, and both are judged by the test set.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..runtime.files import write_bytes, write_json
from ..train.datasets import Dataset, load_dataset
from .runs import trained, wrong_answers
from .scripts import letters
from .stats import mcnemar_exact, p_text, wilson_interval

LABELS = (10, 100, 1_000)  # a class, about, that are learned from
HELD_OUT = 12 / 11  # of the images for each that is learned from
DRAWS = {10: 3, 100: 2}  # training sets; of others one
STEPS = 400  # of a fine-tuning, about
LETTER_EPOCHS = 25


@dataclass(frozen=True)
class Compared:
    """A training set learned from both beginnings.  scratch, letters: which of the `judged` test images are wrong."""

    labels: int
    draw: int
    judged: int
    scratch: tuple[int, ...]
    letters: tuple[int, ...]


def compare(out: Path, source: str, counts: Sequence[int], draws: int, say: Callable[[str], None]) -> list[Compared]:
    """Train all of them; what is in `out` already is taken as it is."""
    test = load_dataset(source, "test")
    pretrained = out / "runs" / "letters"
    trained(pretrained, arch="edge", data=letters(out), epochs=LETTER_EPOCHS, augment="medium", learning_rate=0.004)
    found = []
    for labels in counts:
        for draw in range(min(draws, DRAWS.get(labels, 1))):
            wrong = {
                name: _learned(out, source, test, labels, draw, name, pretrained) for name in ("scratch", "letters")
            }
            found.append(Compared(labels, draw, len(test), wrong["scratch"], wrong["letters"]))
            errors = f"{len(wrong['scratch'])} errors from scratch, {len(wrong['letters'])} from letters"
            say(f"{labels} labels a class, draw {draw}: {errors}")
    return found


def _learned(
    out: Path, source: str, test: Dataset, labels: int, draw: int, beginning: str, pretrained: Path
) -> tuple[int, ...]:
    images = round(labels * len(test.classes) * HELD_OUT)
    batch = min(128, max(16, images // 20))
    run = out / "runs" / f"{beginning}-{labels}-{draw}"
    start = {"from": pretrained} if beginning == "letters" else {}
    drawn = {"data": source, "limit": images, "seed": draw, "batch_size": batch}
    epochs = max(5, STEPS * batch // images)
    trained(run, arch="edge", augment="medium", learning_rate=0.004, epochs=epochs, **drawn, **start)
    return wrong_answers(run, test)


def table(found: Sequence[Compared]) -> str:
    """Markdown: a row for each number of labels.

    Of several training sets the mean, with the interval of one test set, and each one's errors: the same images judge
    all, so that more training sets are not more images.  p: McNemar's, the largest of the training sets'.
    """
    lines = [
        "| labels a class | from scratch, % right (95 %) | errors | from letters | errors | McNemar's p |",
        "|---|---|---|---|---|---|",
    ]
    for labels in dict.fromkeys(one.labels for one in found):
        mine = [one for one in found if one.labels == labels]
        cells = [_side([len(one.scratch) for one in mine], mine[0].judged)]
        cells += [_side([len(one.letters) for one in mine], mine[0].judged)]
        p = max(
            mcnemar_exact(len(set(one.scratch) - set(one.letters)), len(set(one.letters) - set(one.scratch)))
            for one in mine
        )
        lines.append(f"| {labels:,} | {' | '.join(cells)} | {p_text(p)} |")
    return "\n".join(lines) + "\n"


def _side(errors: list[int], judged: int) -> str:
    right = round(judged - sum(errors) / len(errors))
    low, high = wilson_interval(right, judged)
    return f"{100 * right / judged:.2f} ({100 * low:.2f}–{100 * high:.2f}) | {', '.join(map(str, errors))}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m glyphlite.benchmarks.transfer", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--data", default="mnist", help="data set with a test part")
    parser.add_argument("--draws", type=int, default=3, help="training sets of each size, at most")
    parser.add_argument("--labels", default=",".join(map(str, LABELS)), help="a class, about")
    given = parser.parse_args()
    counts = [int(labels) for labels in given.labels.split(",")]
    found = compare(given.out, given.data, counts, given.draws, lambda line: print(line, flush=True))
    write_json(given.out / "transfer.json", [vars(one) for one in found])
    write_bytes(given.out / "transfer.md", table(found).encode())
    print(table(found), end="")


if __name__ == "__main__":
    main()
