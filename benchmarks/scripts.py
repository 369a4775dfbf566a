"""Other scripts than MNIST's digits, by the same commands: `python -m glyphlite.benchmarks.scripts OUT`.

Letters A to Z, Kannada, Devanagari and Farsi digits, and meters with `none` as a class: each set is brought into a form
that `glyphlite train` takes, `edge` is trained on it for a short time and compressed to int8, and judged by images that
it did not learn from.  What is not below $GLYPHLITE_DATA is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..runtime.errors import DatasetError
from ..runtime.files import replacing, write_bytes, write_json
from ..runtime.glyph import mnist
from ..runtime.recognizer import Recognizer
from ..train.datasets import resolve
from ..train.idx import read_idx
from .accuracy import answers, claimed_judges, load_judges
from .latency import Plan, measure, summarise
from .runs import compressed, trained
from .stats import mcnemar_exact, p_text, wilson_interval

RECIPE = "static_wi8_ai8"
SEEN = 150_000  # images in all epochs of a training, about
LATENCY_PLAN = Plan(budget_s=30, max_rounds=30, warm_up_s=1)
KANNADA, DEVANAGARI, FARSI = (tuple(chr(first + digit) for digit in range(10)) for first in (0x0CE6, 0x0966, 0x06F0))
METER_MODEL = "third-party/dig-class11_1910_s2.tflite"


@dataclass(frozen=True)
class Script:
    """A set to learn.  make: writes the sets into a folder and returns what is learned from and what else judges, by
    title; without others the part that is held out judges.  options: of `glyphlite train`."""

    title: str
    make: Callable[[Path], tuple[Path, dict[str, Path | None]]]
    images: int
    options: dict[str, object]


@dataclass(frozen=True)
class Judged:
    """What int8 gets right of a set.  p50: µs of one image; rival: another model's errors and McNemar's p."""

    title: str
    judge: str
    classes: int
    learned: int
    errors: int
    images: int
    bytes: int
    p50: float = 0.0
    rival: str = ""


def scripts() -> tuple[Script, ...]:
    """What is tried."""
    return (
        Script("letters A–Z", _letters, 5_440, {"geometry": "emnist"}),
        Script("Kannada digits", _kannada, 9_167, {"geometry": "mnist"}),
        Script("Devanagari digits", _devanagari, 2_292, {"shape": "32,32,1"}),
        Script("Farsi digits", _farsi, 20_489, {"geometry": "mnist"}),
        Script("meters, with none", _meters, 992, {"shape": "32,20,3", "holdout": 0.25, "batch_size": 32}),
    )


# --- the sets --------------------------------------------------------------------------------------------------------


def letters(folder: Path) -> Path:
    """The letters A to Z with their names, written into a folder."""
    with np.load(resolve("letters/az.npz")[0]) as data:
        names = tuple(chr(ord("A") + index) for index in range(26))
        return _save(folder / "letters.npz", data["images"], data["labels"], names)


def _letters(folder: Path) -> tuple[Path, dict[str, Path | None]]:
    return letters(folder), {}


def _kannada(folder: Path) -> tuple[Path, dict[str, Path | None]]:
    """Learned from the set of one group of writers; Dig-MNIST has others."""
    source = resolve("scripts/kannada")[0]
    saved: dict[str, Path] = {}
    for name in ("kannada_MNIST_test", "dig_MNIST"):
        images, labels = (read_idx(source / f"{kind}_{name}-idx{n}-ubyte.gz", n) for kind, n in (("X", 3), ("y", 1)))
        saved[name] = _save(folder / f"{name}.npz", images, labels, KANNADA)
    return saved["kannada_MNIST_test"], {"the same writers, held out": None, "other writers": saved["dig_MNIST"]}


def _devanagari(folder: Path) -> tuple[Path, dict[str, Path | None]]:
    saved = []
    for split in ("train", "test"):
        with np.load(resolve(f"scripts/devanagari-{split}.npz")[0]) as data:
            saved.append(_save(folder / f"devanagari-{split}.npz", data["images"], data["labels"], DEVANAGARI))
    return saved[0], {"test set": saved[1]}


def _farsi(folder: Path) -> tuple[Path, dict[str, Path | None]]:
    """Its images are as large as they were written; a glyph is what the runtime would make of them."""
    saved = []
    with np.load(resolve("scripts/farsi.npz")[0]) as data:
        for split in ("remaining", "test"):
            glyphs = np.stack([_glyph(image) for image in data[f"{split}_images"]])
            saved.append(_save(folder / f"farsi-{split}.npz", glyphs, data[f"{split}_labels"], FARSI))
    return saved[0], {"test set": saved[1]}


def _meters(folder: Path) -> tuple[Path, dict[str, Path | None]]:
    return resolve("meters")[0], {}


def _glyph(image: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    return mnist(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 28)


def _save(path: Path, images: np.ndarray, labels: np.ndarray, classes: Sequence[str]) -> Path:
    with replacing(path) as temporary:
        np.savez_compressed(temporary, images=images, labels=labels.astype(np.int64), classes=np.array(classes))
    return path


# --- the study -------------------------------------------------------------------------------------------------------


def study(script: Script, out: Path, say: Callable[[str], None]) -> tuple[list[Judged], Recognizer]:
    """Train, compress and judge one script."""
    name = script.title.split(",")[0].replace(" ", "-").replace("–", "-")
    source, others = script.make(out / "data")
    epochs = min(60, max(8, SEEN // script.images))
    run = out / "runs" / name
    settings = {"augment": "medium", "learning_rate": 0.004, **script.options}
    trained(run, arch="edge", data=source, epochs=epochs, **settings)
    card = compressed(run, out / "bundles" / name, RECIPE, source)
    recognizer = Recognizer.load(out / "bundles" / name)
    found = []
    for title, path in (others or {"held out": None}).items():
        judges = load_judges(str(path), card, bare=False, limit=10**6) if path else claimed_judges(str(source), card)
        wrong = answers(recognizer, judges.glyphs).argmax(1) != judges.labels
        rival = _beside_the_meters_model(judges.glyphs, judges.labels, wrong) if script.make is _meters else ""
        learned = card.training.images if card.training else 0
        sizes = (len(card.labels), learned, int(wrong.sum()), len(judges), card.artifact().bytes)
        found.append(Judged(script.title, title, *sizes, rival=rival))
        say(f"{script.title}, {title}: {found[-1].errors} errors of {len(judges):,}")
    return found, recognizer


def _beside_the_meters_model(glyphs: np.ndarray, labels: np.ndarray, wrong: np.ndarray) -> str:
    """What jomjol's model gets wrong of the same images, which it may have learned from."""
    try:
        theirs = Recognizer.load(resolve(METER_MODEL)[0])
    except DatasetError:
        return ""
    other = answers(theirs, glyphs).argmax(1) != labels
    p = mcnemar_exact(int((wrong & ~other).sum()), int((other & ~wrong).sum()))
    return f"{int(other.sum())} errors by jomjol's model of {theirs.artifact.bytes:,} bytes, McNemar's p {p_text(p)}"


def table(found: Sequence[Judged], base: float) -> str:
    """Markdown; base: µs of one image through `digits-edge`."""
    lines = [
        "| script | classes | learned from | judged by | accuracy, % (95 %) | int8, bytes | p50, × `digits-edge` |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        low, high = wilson_interval(one.images - one.errors, one.images)
        share = f"{100 * (1 - one.errors / one.images):.2f} ({100 * low:.2f}–{100 * high:.2f})"
        judge = f"{one.images:,}: {one.judge}" + (f"; {one.rival}" if one.rival else "")
        size = f"{one.bytes:,} | {one.p50 / base:.2f}"
        lines.append(f"| {one.title} | {one.classes} | {one.learned:,} | {judge} | {share} | {size} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m glyphlite.benchmarks.scripts", description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT")
    out: Path = parser.parse_args().out
    found: list[tuple[Judged, Recognizer]] = []
    for script in scripts():
        try:
            judged, recognizer = study(script, out, lambda line: print(line, flush=True))
        except DatasetError as error:
            print(f"{script.title}: left out: {error}", flush=True)
            continue
        found += [(one, recognizer) for one in judged]
    edge = Recognizer.load("digits-edge")
    calls = {one.title: _one_image(recognizer) for one, recognizer in found} | {"": _one_image(edge)}
    p50 = {title: summarise(timing).p50 for title, timing in measure(calls, LATENCY_PLAN).items()}
    rows = [Judged(**{**vars(one), "p50": p50[one.title]}) for one, _ in found]
    text = table(rows, p50[""])
    write_json(out / "scripts.json", [vars(row) for row in rows])
    write_bytes(out / "scripts.md", text.encode())
    print(text, end="")


def _one_image(recognizer: Recognizer) -> Callable[[], object]:
    height, width, channels = recognizer.card.input_shape
    shape = (1, height, width) if channels == 1 else (1, height, width, channels)
    return partial(recognizer.predict_batch, np.zeros(shape, np.uint8))


if __name__ == "__main__":
    main()
