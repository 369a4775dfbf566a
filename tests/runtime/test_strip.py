"""Strips: characters at one height in the middle, whatever the line's size; columns that lead back to the line."""

import numpy as np
import pytest
from drawn import write

from glyphlite.runtime.geometry import STRIP_HEIGHT
from glyphlite.runtime.ink import find_ink
from glyphlite.runtime.layout import Line, find_lines
from glyphlite.runtime.strip import CHARACTER_ROWS, MAX_STRIP, STRIP_MARGIN, line_strip


def line_of(image):
    return find_lines(find_ink(image))[0]


def drawn(soft, height=None, stroke=4.0):
    """A line of this ink."""
    mask = (soft > 0).astype(np.uint8)
    return Line(soft, mask, float(height or soft.shape[0]), stroke, 0.0, 0, 0, 1.0)


@pytest.mark.parametrize("size", [1.0, 2.0, 3.5])
def test_a_line_of_any_size_fills_the_same_rows(size):
    image = write("4071", height=round(60 * size), pen=round(6 * size))
    strip = line_strip(line_of(image))
    assert strip.image.shape[0] == STRIP_HEIGHT and strip.image.dtype == np.uint8
    rows = np.flatnonzero(strip.image.max(1) > 60)
    assert abs(len(rows) - CHARACTER_ROWS) <= 2
    assert abs((rows[0] + rows[-1] + 1) / 2 - STRIP_HEIGHT / 2) <= 3
    assert not strip.image[:, : STRIP_MARGIN - 1].any() and not strip.image[:, 1 - STRIP_MARGIN :].any()


def test_columns_lead_back_to_the_line():
    line = line_of(write("4071"))
    strip = line_strip(line)
    columns = np.flatnonzero(strip.image.max(0) > 60)
    inked = np.flatnonzero(line.mask.any(0))
    assert strip.column(columns[0]) == pytest.approx(inked[0], abs=4)
    assert strip.column(columns[-1] + 1) == pytest.approx(inked[-1] + 1, abs=4)


def test_a_faint_pen_is_as_bright_as_a_marker_and_a_thin_one_as_wide():
    soft = np.zeros((240, 200), np.uint8)
    soft[:, 98:101] = 90
    strip = line_strip(drawn(soft, stroke=3.0)).image
    assert strip.max() >= 250
    assert (strip.max(0) > 60).sum() >= 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (9, 9), (20, 100_000)])
def test_extreme_lines_stay_bounded(shape):
    strip = line_strip(drawn(np.full(shape, 255, np.uint8), stroke=1.0))
    assert strip.image.shape[0] == STRIP_HEIGHT
    assert 2 * STRIP_MARGIN < strip.image.shape[1] <= MAX_STRIP
