"""Quarter turns: a box of the turned image comes back to the same ink."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.runtime.ink import Ink
from glyphlite.runtime.turn import QUARTER_TURNS, turned, turned_back


@given(st.integers(1, 9), st.integers(1, 9), st.data(), st.sampled_from(QUARTER_TURNS))
def test_a_box_comes_back(height, width, data, degrees):
    x, y = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    across, down = data.draw(st.integers(1, width - x)), data.draw(st.integers(1, height - y))
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + down, x : x + across] = 1
    upright = turned(Ink(mask, mask, 1.0, 1.0, False), degrees).mask
    rows, columns = np.flatnonzero(upright.any(1)), np.flatnonzero(upright.any(0))
    box = (int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)
    assert turned_back(box, degrees, width, height) == (x, y, across, down)


@pytest.mark.parametrize(("degrees", "corner"), [(0, (0, 0)), (90, (0, 1)), (180, (2, 1)), (270, (2, 0))])
def test_it_turns_clockwise(degrees, corner):
    mask = np.zeros((2, 3) if degrees % 180 == 0 else (3, 2), np.uint8)
    mask[0, 0] = 1
    upright = turned(Ink(mask, mask, 1.0, 1.0, False), degrees).mask
    if degrees == 90:  # the upper left corner goes to the upper right one
        assert upright[0, 2] == 1
    assert upright.sum() == 1
