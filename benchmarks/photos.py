"""How well photos are read: a folder with `labels.csv` is judged, what fails is shown, and each step is left out once.

`labels.csv` has the columns file and text.  A text of one character, or that is one of the model's labels, is asked of
`predict`, a longer one of `read`; of a model that takes whole images every text is asked of `predict`.  Texts are
compared by their letters and digits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime import Recognizer, Steps, load_image
from ..runtime.bundle import Card
from ..runtime.errors import DatasetError, ImageError
from ..runtime.explain import save_picture
from ..runtime.files import write_csv
from ..runtime.geometry import IMAGE_GEOMETRIES
from ..runtime.labels import LABELS_FILE, read_labels
from ..runtime.rules import written_ink
from .stats import wilson_interval

CELL = (240, 150)  # pixels, width and height of a failure on the contact sheet: the photo above its ink
CAPTION = 22  # pixels under it
COLUMNS = 6
MAX_SHOWN = 60  # failures

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Photo:
    """An image and what is written on it.  file: as its `labels.csv` names it."""

    path: Path
    text: str
    file: str = ""


@dataclass(frozen=True)
class Outcome:
    """What was read of a photo.  got: its letters and digits.  reason: why the image could not be read.

    distance: Levenshtein's, of the characters.  seconds: from file to answer.  probability: that it is right, as the
    reader tells it; 0 where nothing was read.
    """

    photo: Photo
    got: str
    distance: int
    seconds: float
    probability: float = 0.0
    reason: str = ""

    @property
    def right(self) -> bool:
        """Every character as it is written."""
        return self.got == kept(self.photo.text)


@dataclass(frozen=True)
class Summary:
    """Figures of many outcomes.

    low, high: the 95 % Wilson interval of the share that is right.  character_error_rate: Levenshtein's distance by
    characters written.  milliseconds: the median from file to answer.
    """

    right: int
    total: int
    low: float
    high: float
    character_error_rate: float
    milliseconds: float


def load_photos(folder: Path, every: int = 1) -> list[Photo]:
    """The photos that a folder's `labels.csv` names, or each `every`-th row of it.

    Raises DatasetError where the file, a column or an image is missing.
    """
    photos = [Photo(folder / row["file"], row["text"], row["file"]) for row in read_labels(folder)[::every]]
    for photo in photos:
        if not photo.path.is_file():
            raise DatasetError(f"{folder / LABELS_FILE}: names {photo.file}, which is not there")
    return photos


def judge_photos(
    recognizer: Recognizer,
    photos: Sequence[Photo],
    always_read: bool = False,
    expect: str | Sequence[str] | None = None,
) -> list[Outcome]:
    """Read every photo; expect: as of `Recognizer.read`."""
    return [judge_photo(recognizer, photo, always_read, expect) for photo in photos]


def judge_photo(
    recognizer: Recognizer, photo: Photo, always_read: bool = False, expect: str | Sequence[str] | None = None
) -> Outcome:
    """Read one photo, and take the time.  An image that cannot be read is read as nothing."""
    start, got, probability, reason = time.perf_counter(), "", 0.0, ""
    try:
        if always_read or not _is_predicted(photo.text, recognizer.card):
            reading = recognizer.read(photo.path, expect=expect)
            got, probability = reading.text, reading.probability
        else:
            prediction = recognizer.predict(photo.path)
            got = prediction.label or ""
            probability = prediction.confidence if got else 0.0
    except ImageError as error:
        reason = str(error)
    seconds = time.perf_counter() - start
    return Outcome(photo, kept(got), distance(kept(got), kept(photo.text)), seconds, probability, reason)


def _is_predicted(text: str, card: Card) -> bool:
    """Whether `predict` is asked for a text: it is one character to the model, or the model takes whole images."""
    return len(kept(text)) <= 1 or text in card.labels or card.geometry in IMAGE_GEOMETRIES


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """The figures of at least one outcome."""
    right = sum(outcome.right for outcome in outcomes)
    low, high = wilson_interval(right, len(outcomes))
    characters = sum(len(kept(outcome.photo.text)) for outcome in outcomes)
    errors = sum(outcome.distance for outcome in outcomes)
    milliseconds = 1000 * float(np.median([outcome.seconds for outcome in outcomes]))
    return Summary(right, len(outcomes), low, high, errors / max(characters, 1), milliseconds)


def by_length(outcomes: Sequence[Outcome]) -> dict[int, Summary]:
    """The figures of the texts of each number of characters, the shortest first."""
    lengths = sorted({len(kept(outcome.photo.text)) for outcome in outcomes})
    return {
        length: summarise([outcome for outcome in outcomes if len(kept(outcome.photo.text)) == length])
        for length in lengths
    }


def sure(outcomes: Sequence[Outcome]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """(N,) probabilities and (N,) whether it is right, of a coverage curve."""
    return np.array([one.probability for one in outcomes]), np.array([one.right for one in outcomes])


def ablate(
    recognizer: Recognizer,
    photos: Sequence[Photo],
    always_read: bool,
    expect: str | Sequence[str] | None,
    say: Callable[[str], None],
) -> dict[str, Summary]:
    """The figures with every step as it is, then with each switched: ours off, the replaced app's on.  expect: as of
    `Recognizer.read`."""
    found = {}
    for name in ("", *(spec.name for spec in fields(Steps))):
        usual = recognizer.steps
        steps = replace(usual, **{name: not getattr(usual, name)}) if name else usual
        title = f"{'with' if getattr(steps, name) else 'without'} {name}" if name else "as it is"
        found[title] = summarise(judge_photos(recognizer.with_steps(steps), photos, always_read, expect))
        say(f"{title}: {found[title].right} of {found[title].total}")
    return found


def contact_sheet(outcomes: Sequence[Outcome]) -> Pixels | None:
    """The failures, each with its ink under it, what is written and what was read; None where there is none."""
    failures = [outcome for outcome in outcomes if not outcome.right][:MAX_SHOWN]
    if not failures:
        return None
    cells = [_cell(outcome) for outcome in failures]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % min(COLUMNS, len(cells)))
    across = min(COLUMNS, len(failures))
    return np.concatenate([np.concatenate(cells[i : i + across], 1) for i in range(0, len(cells), across)])


def write_photos_report(folder: Path, outcomes: Sequence[Outcome]) -> list[Path]:
    """`failures.png`, where there are any, and `outcomes.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "outcomes.csv"
    columns = ("file", "text", "got", "right", "probability", "seconds", "reason")
    rows = [
        (
            one.photo.file,
            kept(one.photo.text),
            one.got,
            int(one.right),
            f"{one.probability:.4f}",
            f"{one.seconds:.5f}",
            one.reason,
        )
        for one in outcomes
    ]
    write_csv(table, [columns, *rows])
    sheet = contact_sheet(outcomes)
    if sheet is None:
        return [table]
    save_picture(folder / "failures.png", sheet)
    return [table, folder / "failures.png"]


def kept(text: str) -> str:
    """A text's letters and digits; of a sign alone, which may be a label, the sign."""
    return "".join(character for character in text if character.isalnum()) or text.strip()


def distance(first: str, second: str) -> int:
    """Levenshtein's distance (1966): the fewest characters to insert, delete or replace."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(second, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return row[-1]


def _cell(outcome: Outcome) -> Pixels:
    width, height = CELL
    cell = np.full((height + CAPTION, width, 3), 255, np.uint8)
    caption = f"{kept(outcome.photo.text)} read as {outcome.got or 'nothing'}"
    cv2.putText(cell, caption[:34], (4, height + 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    try:
        image = load_image(outcome.photo.path)
    except ImageError:
        return cell
    ink = written_ink(image).soft
    for part, top in ((image, 0), (255 - ink, height // 2)):
        share = min(width / part.shape[1], (height // 2 - 2) / part.shape[0])
        size = tuple(max(1, round(side * share)) for side in part.shape[1::-1])
        small: Any = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        cell[top : top + small.shape[0], : small.shape[1]] = small if small.ndim == 3 else small[..., None]
    return cell
