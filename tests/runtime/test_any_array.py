"""Any uint8 array is an answer, a refusal or an error of ours: constants, noise, a pixel of ink, extreme shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glyphlite.runtime import GlyphliteError, Prediction, Reading

SIDES = st.one_of(st.integers(1, 80), st.sampled_from([1, 2, 3, 500, 799, 801, 1600, 4000]))


@st.composite
def arrays(draw):
    """(H, W) or (H, W, 3) uint8; large ones are made cheaply."""
    height, width = draw(SIDES), draw(SIDES)
    if height * width > 4_000_000 and not draw(st.booleans()):
        width = min(width, 500)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    kind = draw(st.sampled_from(["flat", "noise", "pixel", "borders", "halves", "stripes"]))
    low, high = draw(st.integers(0, 255)), draw(st.integers(0, 255))
    image = np.full((height, width), low, np.uint8)
    if kind == "noise":
        image = rng.integers(min(low, high), max(low, high) + 1, (height, width), np.uint8)
    elif kind == "pixel":
        image[rng.integers(height), rng.integers(width)] = high
    elif kind == "borders":
        image[[0, -1]] = high
        image[:, [0, -1]] = high
    elif kind == "halves":
        image[: height // 2] = high
    elif kind == "stripes":
        image[:: draw(st.integers(1, 9))] = high
    return np.dstack([image, image[::-1], image]) if draw(st.booleans()) else image


def within(box, image):
    """Whether a box lies in an image, give or take the rounding of its scale."""
    x, y, width, height = box
    return x >= -3 and y >= -3 and x + width <= image.shape[1] + 3 and y + height <= image.shape[0] + 3


@settings(max_examples=120)
@given(arrays())
def test_any_array_is_predicted_or_refused(model, image):
    try:
        answer = model.predict(image)
    except GlyphliteError:
        return
    assert isinstance(answer, Prediction)
    assert (answer.label is None) == (answer.reason is not None)
    assert answer.box is None or within(answer.box, image)


@settings(max_examples=80)
@given(arrays())
def test_any_array_is_read_or_left(model, image):
    try:
        reading = model.read(image)
    except GlyphliteError:
        return
    assert isinstance(reading, Reading)
    assert (reading.lines == ()) == (reading.reason is not None)


@pytest.mark.parametrize("shape", [(1, 500), (500, 1), (4000, 8), (8, 4000), (4000, 4000)])
def test_extreme_shapes(model, shape):
    image = np.full(shape, 240, np.uint8)
    image[shape[0] // 2, shape[1] // 2] = 0
    assert model.predict(image).label is None
    assert model.read(image).text == ""
