"""Comparisons that hold: two runs artifact by artifact, one artifact to ship, the images on which two differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import BudgetError, DatasetError, counted
from ..runtime.explain import save_picture
from .accuracy import Judges
from .result_file import Measured, Results
from .stats import mcnemar_exact

ROUNDING = 1e-9  # of a share that was computed from counts
SURE = 0.05  # p-value of McNemar's test below which two differ in accuracy
CELL = 84  # pixels of an image on the contact sheet
CAPTION = 34  # pixels under it
COLUMNS = 10
MOST_SHOWN = 100


@dataclass(frozen=True)
class Difference:
    """One artifact in two runs.

    only_before, only_after: images that it got wrong in one run only; None where a run did not keep them, or judged
    others.  p: McNemar's, of these.  slowdown: p50 after by p50 before, with its interval from those of the two.
    """

    artifact: str
    errors: tuple[int, int]
    images: int
    only_before: int | None
    only_after: int | None
    p: float | None
    slowdown: float
    interval: tuple[float, float]

    @property
    def extra_errors(self) -> int:
        """More of them than before."""
        return self.errors[1] - self.errors[0]


def compare(before: Results, after: Results) -> list[Difference]:
    """Of every artifact that both runs have; of two runs of one artifact each, those, whatever their names.

    Raises DatasetError where they share none, or were judged on different data.
    """
    if not before.has_judges_of(after):
        raise DatasetError(f"{_judged_on(before)} and {_judged_on(after)}: errors cannot be compared")
    if len(before.rows) == len(after.rows) == 1:
        return [_difference(before.rows[0], after.rows[0])]
    known = {row.artifact: row for row in before.rows}
    pairs = [(known[row.artifact], row) for row in after.rows if row.artifact in known]
    if not pairs:
        raise DatasetError(f"{before.path} and {after.path} share no artifact")
    return [_difference(*pair) for pair in pairs]


def only_in(run: Results, other: Results) -> list[str]:
    """The artifacts of a run that another has not, and with which they are not compared."""
    if len(run.rows) == len(other.rows) == 1:
        return []
    known = {row.artifact for row in other.rows}
    return [row.artifact for row in run.rows if row.artifact not in known]


def _judged_on(run: Results) -> str:
    name, images = run.judges
    known = f" (sha256 {run.sha256[:12]}…)" if run.sha256 else ""
    return f"{run.path} was judged on {images:,} images of {name}{known}"


def _difference(before: Measured, after: Measured) -> Difference:
    only_before = only_after = p = None
    if before.right is not None and after.right is not None:
        only_before = int((~before.right & after.right).sum())
        only_after = int((before.right & ~after.right).sum())
        p = mcnemar_exact(only_before, only_after)
    interval = after.p50_interval[0] / before.p50_interval[1], after.p50_interval[1] / before.p50_interval[0]
    return Difference(
        artifact=after.artifact,
        errors=(before.errors, after.errors),
        images=after.images,
        only_before=only_before,
        only_after=only_after,
        p=p,
        slowdown=after.p50_us / before.p50_us,
        interval=interval,
    )


def regressions(
    differences: Sequence[Difference], lost: Sequence[str], max_slowdown: float, max_extra_errors: int
) -> list[str]:
    """What got worse than allowed, a sentence each.  A slowdown counts where its whole interval is above 1.
    lost: the artifacts that the later run has no more."""
    found = [f"{artifact}: not in the later run" for artifact in lost]
    for one in differences:
        if one.extra_errors > max_extra_errors:
            found.append(f"{one.artifact}: {counted(one.extra_errors, 'more error')}; allowed {max_extra_errors}")
        if one.slowdown > max_slowdown and one.interval[0] > 1:
            found.append(f"{one.artifact}: {one.slowdown:.2f} times as slow; allowed {max_slowdown:g}")
    return found


# --- what to ship ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Advice:
    """chosen: the artifact to ship.  why: in words.  runner_up: the next; None where there is none."""

    chosen: Measured
    why: str
    runner_up: Measured | None
    about_it: str


def recommend(
    results: Results, max_ms: float | None = None, max_bytes: int | None = None, min_accuracy: float | None = None
) -> Advice:
    """One artifact within the limits: of those that McNemar's test cannot tell from the most accurate one the fastest,
    and of those whose time cannot be told apart the smallest.

    Raises BudgetError naming the nearest where none is within the limits.
    """
    within = [row for row in results.rows if _missed(row, max_ms, max_bytes, min_accuracy) == 0]
    if not within:
        nearest = min(results.rows, key=lambda row: _missed(row, max_ms, max_bytes, min_accuracy))
        raise BudgetError(f"nothing is within the limits; the nearest is {_said(nearest)}")
    best = min(within, key=lambda row: row.errors)
    equal = [row for row in within if _is_as_accurate(row, best)]
    ranked = _by_time_and_size(equal)
    chosen, rest = ranked[0], [*ranked[1:], *sorted((r for r in within if r not in equal), key=lambda r: r.errors)]
    why = f"{_said(chosen)}: "
    if chosen.errors == best.errors:
        why += "none within the limits makes fewer errors"
    else:
        more = f"{counted(chosen.errors - best.errors, 'error')} more than {best.artifact}"
        why += f"{more}, which this data cannot tell from chance"
    why += f"; {len(equal)} of {len(within)} within the limits are as accurate, and of these it is "
    why += "the smallest of the fastest" if len(equal) > 1 else "the only one"
    if not rest:
        return Advice(chosen, why, None, "no other is within the limits")
    return Advice(chosen, why, rest[0], f"{_said(rest[0])}: {_against(rest[0], chosen)}")


def _missed(row: Measured, max_ms: float | None, max_bytes: int | None, min_accuracy: float | None) -> float:
    """By how much the limits are missed, as a sum of shares; 0 within them."""
    over = [row.p50_us / 1000 / max_ms - 1 if max_ms else 0.0, row.bytes / max_bytes - 1 if max_bytes else 0.0]
    if min_accuracy is not None and row.accuracy < min_accuracy - ROUNDING:
        over.append((1 - row.accuracy) / max(1 - min_accuracy, ROUNDING) - 1)
    return sum(max(0.0, one) for one in over)


def _is_as_accurate(row: Measured, best: Measured) -> bool:
    if row.errors == best.errors:
        return True
    if row.right is None or best.right is None:
        return False
    return mcnemar_exact(int((~best.right & row.right).sum()), int((best.right & ~row.right).sum())) >= SURE


def _by_time_and_size(rows: Sequence[Measured]) -> list[Measured]:
    """The fastest first; those whose intervals overlap with its own by their bytes."""
    left, ranked = sorted(rows, key=lambda row: row.p50_us), []
    while left:
        same = [row for row in left if row.p50_interval[0] <= left[0].p50_interval[1]]
        ranked.append(min(same, key=lambda row: row.bytes))
        left.remove(ranked[-1])
    return ranked


def _said(row: Measured) -> str:
    right = f"{counted(row.errors, 'error')} of {row.images:,}"
    return f"{row.artifact} ({row.bytes:,} bytes, {right}, {row.p50_us / 1000:.3f} ms)"


def _against(row: Measured, chosen: Measured) -> str:
    told = []
    if not _is_as_accurate(row, chosen):
        how = "not tested" if row.right is None or chosen.right is None else "by McNemar's test"
        told.append(f"{'more' if row.errors > chosen.errors else 'fewer'} errors, {how}")
    elif row.errors != chosen.errors:
        told.append("errors that cannot be told apart")
    else:
        told.append("as many errors")
    apart = row.p50_interval[0] > chosen.p50_interval[1] or row.p50_interval[1] < chosen.p50_interval[0]
    told.append(f"{row.p50_us / chosen.p50_us:.2f} of the time" if apart else "time that cannot be told apart")
    told.append(f"{row.bytes / chosen.bytes:.2f} of the bytes")
    return ", ".join(told)


# --- where two differ ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Disagreement:
    """Two artifacts on one data set.  where: indices of the images that they answer differently.  answers: of both on
    all images, and the truth, as indices of the labels."""

    where: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    truth: NDArray[np.int64]

    @property
    def only_first_wrong(self) -> int:
        """Images that the second alone gets right."""
        return int(((self.first != self.truth) & (self.second == self.truth)).sum())

    @property
    def only_second_wrong(self) -> int:
        """Images that the first alone gets right."""
        return int(((self.first == self.truth) & (self.second != self.truth)).sum())

    @property
    def p(self) -> float:
        """McNemar's."""
        return mcnemar_exact(self.only_first_wrong, self.only_second_wrong)


def disagreement(first: NDArray[np.int64], second: NDArray[np.int64], truth: NDArray[np.int64]) -> Disagreement:
    """Where the answers (images,) of two artifacts differ."""
    return Disagreement(np.flatnonzero(first != second), first, second, truth)


def contact_sheet(path: Path, found: Disagreement, judges: Judges, labels: Sequence[str]) -> int:
    """Write the images on which the two differ, under each the truth and both answers, as PNG; how many are shown."""
    shown = found.where[:MOST_SHOWN]
    if not len(shown):
        raise DatasetError("the two answer every image alike: nothing to show")
    rows = -(-len(shown) // COLUMNS)
    sheet = np.full((rows * (CELL + CAPTION), min(COLUMNS, len(shown)) * (CELL + 8), 3), 255, np.uint8)
    for place, index in enumerate(shown.tolist()):
        glyph = judges.glyphs[index]
        picture = cv2.cvtColor(glyph, cv2.COLOR_GRAY2BGR if glyph.ndim == 2 else cv2.COLOR_RGB2BGR)
        scale = CELL / max(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
        top, left = place // COLUMNS * (CELL + CAPTION), place % COLUMNS * (CELL + 8)
        sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        truth, one, other = (labels[int(side[index])] for side in (found.truth, found.first, found.second))
        for line, (text, colour) in enumerate(
            ((f"is {truth}", (0, 0, 0)), (f"{one} | {other}", (0, 120, 0) if truth in (one, other) else (0, 0, 190)))
        ):
            at = (left + 2, top + CELL + 14 + 14 * line)
            cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, 1, cv2.LINE_AA)
    save_picture(path, sheet)
    return len(shown)
