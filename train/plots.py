"""Pictures of data and of runs, as PNG: class distribution, contact sheet, learning curves, confusion, worst errors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")  # files only: no screen is needed
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..runtime.errors import counted
from ..runtime.files import replacing
from .calibration import ECE_BINS, softmax
from .datasets import Dataset

DPI = 110
SHEET_COLUMNS = 16  # examples of each class in a contact sheet
SAMPLES_SHOWN = 36  # images in the sheets of a report
WORST_SHOWN = 48  # images in the sheet of errors


@contextmanager
def _figure(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    figure = plt.figure(figsize=size, layout="constrained")
    try:
        yield figure
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=DPI, metadata={"Software": None})
    finally:
        plt.close(figure)


def class_distribution(path: Path, dataset: Dataset) -> None:
    """A bar for each class."""
    counts = dataset.counts()
    with _figure(path, (max(5.0, 0.3 * len(counts)), 3.2)) as figure:
        axes = figure.subplots()
        bars = axes.bar(dataset.classes, counts, color="#4878a8")
        if len(counts) <= 20:
            axes.bar_label(bars, fontsize=7)
        axes.set(title=f"{dataset.name} ({dataset.split}): {len(dataset):,} images", xlabel="class", ylabel="images")


def contact_sheet(path: Path, dataset: Dataset, seed: int = 0) -> None:
    """A row for each class, of examples drawn at random."""
    rng = np.random.default_rng(seed)
    rows = len(dataset.classes)
    height, width = dataset.images.shape[1:3]
    sheet = np.zeros((rows, SHEET_COLUMNS, *dataset.images.shape[1:]), np.uint8)
    for row in range(rows):
        members = np.flatnonzero(dataset.labels == row)
        chosen = rng.permutation(members)[:SHEET_COLUMNS]
        sheet[row, : len(chosen)] = dataset.images[chosen]
    picture = sheet.swapaxes(1, 2).reshape(rows * height, SHEET_COLUMNS * width, *dataset.images.shape[3:])
    with _figure(path, (8, 8 * rows * height / (SHEET_COLUMNS * width) + 0.4)) as figure:
        axes = figure.subplots()
        axes.imshow(_displayed(picture), cmap="gray", interpolation="nearest")
        axes.set_yticks([(row + 0.5) * height for row in range(rows)], dataset.classes)
        axes.set(title=f"{dataset.name} ({dataset.split})", xticks=[])


def learning_curves(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Loss and error of the training part (as augmented) and of the hold-out, an epoch a point."""
    epochs = [row["epoch"] for row in rows]
    with _figure(path, (8, 3.2)) as figure:
        loss, error = figure.subplots(1, 2)
        for key, label in (("", "training, augmented"), ("val_", "hold-out")):
            loss.plot(epochs, [row[f"{key}loss"] for row in rows], ".-", label=label)
            error.plot(epochs, [100 * (1 - row[f"{key}accuracy"]) for row in rows], ".-", label=label)
        loss.set(title="cross-entropy (nats)")
        error.set(title="error (%)")
        _scale(loss, error)
        loss.legend()


def line_curves(path: Path, rows: Sequence[dict[str, float]]) -> None:
    """Loss of the training lines (as augmented) and the held-out lines that are not read right, an epoch a point."""
    epochs = [row["epoch"] for row in rows]
    with _figure(path, (8, 3.2)) as figure:
        loss, error = figure.subplots(1, 2)
        loss.plot(epochs, [row["loss"] for row in rows], ".-", label="training, augmented")
        error.plot(epochs, [100 * (1 - row["val_accuracy"]) for row in rows], ".-", label="hold-out")
        loss.set(title="CTC loss (nats)")
        error.set(title="lines not right (%)")
        _scale(loss, error)


def _scale(*plots: Axes) -> None:
    """Whole epochs across, logarithms up; a curve that comes to 0 has no logarithm there, and is drawn as it is."""
    for axes in plots:
        lowest = min(float(np.min(line.get_ydata())) for line in axes.get_lines())
        axes.set(xlabel="epoch", yscale="log" if lowest > 0 else "linear")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def confusion_matrix(path: Path, dataset: Dataset, predicted: np.ndarray) -> None:
    """True classes down, answers across; the diagonal is left out of the colours so that errors show."""
    classes = len(dataset.classes)
    matrix = np.zeros((classes, classes), int)
    np.add.at(matrix, (dataset.labels, predicted), 1)
    errors = np.where(np.eye(classes, dtype=bool), 0, matrix)
    side = max(4.5, 0.4 * classes)
    with _figure(path, (side, side)) as figure:
        axes = figure.subplots()
        axes.imshow(errors, cmap="Reds", vmin=0, vmax=max(1, errors.max()))
        if classes <= 30:
            for row, column in np.argwhere(matrix):
                axes.text(column, row, matrix[row, column], ha="center", va="center", fontsize=7)
        axes.set_xticks(range(classes), dataset.classes)
        axes.set_yticks(range(classes), dataset.classes)
        axes.set(title=f"{counted(int(errors.sum()), 'error')} of {len(dataset):,}", xlabel="answer", ylabel="truth")


def most_wrong(path: Path, dataset: Dataset, logits: np.ndarray, temperature: float) -> None:
    """The errors that the network was surest of, first; each with truth, answer and confidence."""
    probabilities = softmax(logits, temperature)
    wrong = np.flatnonzero(probabilities.argmax(1) != dataset.labels)
    wrong = wrong[np.argsort(-probabilities.max(1)[wrong])][:WORST_SHOWN]
    titles = [_told(dataset, index, probabilities[index]) for index in wrong.tolist()]
    images(path, dataset.images[wrong], titles, f"{dataset.name}: the errors that the network was surest of")


def answers(path: Path, dataset: Dataset, chosen: np.ndarray, probabilities: np.ndarray) -> None:
    """The images of some indices, each with what it was read as; truth→answer where that is wrong."""
    images(path, dataset.images[chosen], [_told(dataset, index, probabilities[index]) for index in chosen.tolist()])


def images(path: Path, shown: np.ndarray, titles: Sequence[str] = (), heading: str = "") -> None:
    """Images (N, H, W) or BGR (N, H, W, 3) uint8, twelve a row, each under its title."""
    columns = 12
    rows = max(1, -(-len(shown) // columns))
    with _figure(path, (columns * 0.8, rows * (1.05 if titles else 0.85) + 0.4)) as figure:
        figure.suptitle(heading, fontsize=9)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid:
            axes.axis("off")
        for axes, image in zip(grid, shown, strict=False):
            axes.imshow(_displayed(image), cmap="gray", vmin=0, vmax=255)
        for axes, title in zip(grid, titles, strict=False):
            axes.set_title(title, fontsize=7)


def reliability(path: Path, calibrated: dict[str, tuple[np.ndarray, float]], right: np.ndarray) -> None:
    """Accuracy of the answers in each bin of confidence, a line for each way to the probabilities.

    calibrated: confidences (N,) and calibration error of each; right: (N,) bool.
    """
    with _figure(path, (5.6, 4.2)) as figure:
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], ":", color="grey", lw=1)
        for title, (confidence, ece) in calibrated.items():
            index = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
            counts = np.bincount(index, minlength=ECE_BINS)
            filled = counts > 0
            said = np.bincount(index, confidence, minlength=ECE_BINS)[filled] / counts[filled]
            found = np.bincount(index, right, minlength=ECE_BINS)[filled] / counts[filled]
            axes.plot(100 * said, 100 * found, "o-", ms=4, lw=1.2, label=f"{title}: ECE {100 * ece:.2f} %")
        axes.set(xlabel="confidence, %", ylabel="right, %", xlim=(0, 101), ylim=(0, 101))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)


def write_run(
    folder: Path, rows: Sequence[dict[str, float]], judged: Dataset, logits: np.ndarray, temperature: float
) -> None:
    """All pictures of a training run."""
    learning_curves(folder / "curves.png", rows)
    confusion_matrix(folder / "confusion.png", judged, logits.argmax(1))
    most_wrong(folder / "most_wrong.png", judged, logits, temperature)


def _told(dataset: Dataset, index: int, row: np.ndarray) -> str:
    truth, answer = dataset.classes[dataset.labels[index]], dataset.classes[int(row.argmax())]
    return f"{truth if truth == answer else f'{truth}→{answer}'} {100 * row.max():.0f}%"


def _displayed(images: np.ndarray) -> np.ndarray:
    """BGR to RGB for matplotlib; grey as it is."""
    return images[..., ::-1] if images.shape[-1] == 3 and images.ndim >= 3 else images
