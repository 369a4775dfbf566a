"""Classifiers from before deep learning beside a CNN, on the same splits: `python -m glyphlite.benchmarks.classical`.

k-nearest neighbours, an SVM, logistic regression and a random forest (scikit-learn), each of pixels and of histograms
of oriented gradients, and the CNN `edge` with and without distortions, learn from 100 images up to the whole set.  A
command that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.files import write_bytes, write_json
from ..runtime.recognizer import Recognizer
from ..train.datasets import Dataset, load_dataset, part_training_set
from .features import hog, pixels
from .latency import Latency, Plan, measure, summarise
from .runs import trained, wrong_answers
from .stats import mcnemar_exact, wilson_interval

SIZES = (100, 1_000, 10_000, 60_000)  # images, of which HOLDOUT is set aside for every learner alike
HOLDOUT = 1 / 12  # as `glyphlite train` holds out
FEW = 1_000  # images, up to which several draws are averaged
JUDGED_AT_ONCE = 1_000  # images
LATENCY_PLAN = Plan(budget_s=60, max_rounds=30, warm_up_s=1)

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
FEATURES: dict[str, Features] = {"pixels": pixels, "HOG": hog}
CNNS = {"CNN (edge)": "none", "CNN (edge), distorted": "medium"}  # name, --augment
STEPS = 500  # of a CNN's training, at least; MOST_EPOCHS may be fewer
MOST_EPOCHS, FEWEST_EPOCHS = 60, 8


@dataclass(frozen=True)
class Learned:
    """One learner after one training set.

    images: of the training set, its hold-out included.  wrong: which of the `judged` test images it got wrong.
    bytes: of the pickle, or of the CNN's float weights.  seconds: of learning.
    """

    name: str
    images: int
    draw: int
    wrong: tuple[int, ...]
    judged: int
    bytes: int
    seconds: float

    @property
    def key(self) -> tuple[str, int, int]:
        """What it is the measurement of."""
        return self.name, self.images, self.draw

    @property
    def errors(self) -> int:
        """How many are wrong."""
        return len(self.wrong)


def classifiers() -> dict[str, Callable[[], Any]]:
    """Untrained scikit-learn classifiers by name, with the settings that are usual for digits; none was tuned here."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.svm import SVC

    return {
        "3-NN": lambda: KNeighborsClassifier(3, weights="distance"),
        "SVM (RBF)": lambda: SVC(C=10, gamma="scale", cache_size=1000),
        "logistic regression": lambda: LogisticRegression(C=1.0, max_iter=200),
        "random forest": lambda: RandomForestClassifier(200, random_state=0),
    }


def learn_classical(
    name: str, features: str, part: Dataset, test: Dataset, images: int, draw: int, out: Path
) -> Learned:
    """Train and judge one classifier, and keep its pickle in `out`."""
    describe, classifier = FEATURES[features], classifiers()[name]()
    began = time.perf_counter()
    classifier.fit(describe(part.images), part.labels)
    seconds = time.perf_counter() - began
    content = pickle.dumps(classifier, pickle.HIGHEST_PROTOCOL)
    title = f"{name}, {features}"
    write_bytes(model_file(out, title), content)
    starts = range(0, len(test), JUDGED_AT_ONCE)
    answers = [classifier.predict(describe(test.images[start : start + JUDGED_AT_ONCE])) for start in starts]
    wrong = tuple(np.flatnonzero(np.concatenate(answers) != test.labels).tolist())
    return Learned(title, images, draw, wrong, len(test), len(content), round(seconds, 2))


def learn_cnn(name: str, data: str, test: Dataset, images: int, draw: int, out: Path) -> Learned:
    """Train the CNN by `glyphlite train` and judge it; small sets are gone through more often."""
    run = out / "runs" / f"edge-{CNNS[name]}-{images}-{draw}"
    batch = min(128, max(16, images // 20))
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, STEPS * batch // images))
    drawn = {"data": data, "limit": images, "seed": draw, "augment": CNNS[name]}
    card = trained(run, arch="edge", learning_rate=0.004, batch_size=batch, epochs=epochs, **drawn)
    assert card.training is not None and card.parameters is not None
    wrong = wrong_answers(run, test)
    return Learned(name, images, draw, wrong, len(test), 4 * card.parameters, float(card.training.seconds))


def model_file(out: Path, title: str) -> Path:
    """Where a classifier's pickle lies: the last one trained, of the most images."""
    return out / "models" / f"{title.replace(', ', '-').replace(' ', '-')}.pickle"


def run(
    data: str, out: Path, sizes: Sequence[int], draws: int, svm_images: int, say: Callable[[str], None]
) -> list[Learned]:
    """Everything that is not in `out` yet; what is done is kept after each."""
    train, test = load_dataset(data, "train"), load_dataset(data, "test")
    store = out / "learned.json"
    done = (
        [Learned(**{**row, "wrong": tuple(row["wrong"])}) for row in json.loads(store.read_text())]
        if store.exists()
        else []
    )
    for images in sizes:
        for draw in range(draws if images <= FEW else 1):
            part, _ = part_training_set(train, HOLDOUT, images, draw)
            wanted: dict[str, Callable[[], Learned]] = {
                f"{name}, {features}": partial(learn_classical, name, features, part, test, images, draw, out)
                for name in classifiers()
                for features in FEATURES
                if images <= svm_images or not name.startswith("SVM")
            }
            wanted |= {name: partial(learn_cnn, name, data, test, images, draw, out) for name in CNNS}
            for title, learn in wanted.items():
                if any(one.key == (title, images, draw) for one in done):
                    continue
                done.append(learn())
                write_json(store, [asdict(one) for one in done])
                say(
                    f"{images:>6} images, draw {draw}: {title:<28}{done[-1].errors:>6} errors, {done[-1].seconds:.0f} s"
                )
    return done


def latencies(learned: Sequence[Learned], out: Path, test: Dataset) -> dict[str, Latency]:
    """One image through each classifier that was kept, and through the shipped network, in interleaved rounds."""
    image = test.images[:1]
    calls: dict[str, Callable[[], object]] = {}
    for title in dict.fromkeys(one.name for one in learned):
        if model_file(out, title).exists():
            classifier = pickle.loads(model_file(out, title).read_bytes())  # written by this command
            describe = FEATURES[title.rsplit(", ", 1)[1]]
            calls[title] = partial(lambda one, features: one.predict(features(image)), classifier, describe)
    calls["digits-edge"] = partial(Recognizer.load("digits-edge").predict_batch, image)
    return {name: summarise(timing) for name, timing in measure(calls, LATENCY_PLAN).items()}


def table(learned: Sequence[Learned], timed: dict[str, Latency]) -> str:
    """Markdown: a row for each learner, its accuracy at every size, bytes and latency of the largest, McNemar's p."""
    sizes = sorted({one.images for one in learned})
    rival = next(name for name in reversed(CNNS) if any(one.name == name for one in learned))
    base = timed.get("digits-edge")
    lines = [
        f"| learner | {' | '.join(f'{size:,} images' for size in sizes)} | bytes | p50, × `digits-edge` |",
        "|---|" + "---|" * (len(sizes) + 2),
    ]
    for name in dict.fromkeys(one.name for one in learned):
        mine = [one for one in learned if one.name == name]
        cells = [_cell([one for one in mine if one.images == size], learned, rival) for size in sizes]
        ratio = f"{timed[name].p50 / base.p50:,.0f}" if base and name in timed else "–"
        lines.append(f"| {name} | {' | '.join(cells)} | {max(mine, key=lambda one: one.images).bytes:,} | {ratio} |")
    return "\n".join(lines) + "\n"


def _cell(mine: Sequence[Learned], learned: Sequence[Learned], rival: str) -> str:
    """Mean accuracy of the draws, the Wilson interval of one test set (the same images judge all), and a mark where
    McNemar's test tells each draw from the rival CNN."""
    if not mine:
        return "–"
    right, judged = _mean_right(mine)
    low, high = wilson_interval(right, judged)
    return f"{100 * right / judged:.2f} ({100 * low:.2f}–{100 * high:.2f}){_mark(mine, learned, rival)}"


def _mean_right(draws: Sequence[Learned]) -> tuple[int, int]:
    """Test images that are right after a draw, on average, of how many."""
    judged = draws[0].judged
    return round(judged - sum(one.errors for one in draws) / len(draws)), judged


def _mark(mine: Sequence[Learned], learned: Sequence[Learned], rival: str) -> str:
    marks = set()
    for one in mine:
        other = next((two for two in learned if two.key == (rival, one.images, one.draw)), None)
        if other is None or one.name == rival:
            return ""
        only_mine, only_theirs = len(set(one.wrong) - set(other.wrong)), len(set(other.wrong) - set(one.wrong))
        differs = mcnemar_exact(only_mine, only_theirs) < 0.05
        marks.add((" −" if only_mine > only_theirs else " +") if differs else " =")
    return marks.pop() if len(marks) == 1 else " ="


def save_plot(path: Path, learned: Sequence[Learned]) -> None:
    """Errors against the size of the training set, both as powers of ten."""
    from .plot import save_learning_curves

    curves: dict[str, list[tuple[int, float, float, float]]] = {}
    for name in dict.fromkeys(one.name for one in learned):
        for size in sorted({one.images for one in learned if one.name == name}):
            mine = [one for one in learned if (one.name, one.images) == (name, size)]
            right, judged = _mean_right(mine)
            wrong = judged - right
            curves.setdefault(name, []).append((size, wrong / judged, *wilson_interval(wrong, judged)))
    save_learning_curves(path, curves)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m glyphlite.benchmarks.classical", description=__doc__)
    parser.add_argument("--data", default="mnist", help="data set with a test part")
    parser.add_argument("--out", type=Path, required=True, help="folder of the measurements, table and picture")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="training images")
    parser.add_argument("--draws", type=int, default=2, help=f"training sets of each size up to {FEW:,}")
    parser.add_argument("--svm-images", type=int, default=10_000, help="the most that an SVM learns from")
    given = parser.parse_args()
    sizes = sorted(int(size) for size in given.sizes.split(","))
    learned = run(given.data, given.out, sizes, given.draws, given.svm_images, lambda line: print(line, flush=True))
    timed = latencies(learned, given.out, load_dataset(given.data, "test"))
    text = table(learned, timed)
    write_json(given.out / "latency.json", {name: asdict(latency) for name, latency in timed.items()})
    write_bytes(given.out / "classical.md", text.encode())
    save_plot(given.out / "classical.png", learned)
    print(text, end="")


if __name__ == "__main__":
    main()
