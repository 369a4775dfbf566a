"""A region to texts: one line, a box a digit, equal parts of a box, a wheel between two digits."""

import cv2
import numpy as np
import pytest
from drawn import write
from meter import CELL, FastClock, Meter, drawn_digits

from glyphlite.runtime import ModelError, Prediction, Recognizer
from glyphlite.runtime.watch.reading import equal_parts, judged, look
from glyphlite.runtime.watch.settings import Region

BOXES = tuple((place * CELL[1], 0, CELL[1], CELL[0]) for place in range(3))


def shown(value):
    return Meter(drawn_digits(), FastClock(), digits=3).show(value)


def test_one_line(model):
    frame = np.full((300, 500), 255, np.uint8)
    line = write("407", height=60)
    frame[100 : 100 + line.shape[0], 50 : 50 + line.shape[1]] = line
    seen = look(model, Region("r", box=(40, 90, line.shape[1] + 20, 140), digits=3), frame)
    assert seen.texts == ("407",)
    assert seen.labels == ("4", "0", "7")
    assert 0.8 < seen.confidence <= 1


def test_a_box_for_each_digit(model):
    assert look(model, Region("r", boxes=BOXES), shown(407)).texts == ("407",)


def between(first, share, second, other):
    return Prediction(first, share, ((first, share), (second, other)))


@pytest.mark.parametrize(
    ("last", "texts"),
    [
        (between("7", 0.6, "8", 0.38), ("17", "18")),
        (between("8", 0.6, "7", 0.38), ("17", "18")),
        (between("0", 0.6, "9", 0.38), ("10", "19")),
        (between("7", 0.6, "1", 0.38), ()),  # no neighbours: not sure
        (between("7", 0.95, "8", 0.04), ("17",)),
        (Prediction(None, 0.5, (("7", 0.5), ("8", 0.45)), reason="not sure"), ("17", "18")),
    ],
)
def test_a_wheel_between_two_digits_may_be_either(last, texts):
    region = Region("r", digits=2, rolling=True)
    assert judged(region, [Prediction("1", 0.99, (("1", 0.99),)), last]).texts == texts
    fixed = judged(Region("r", digits=2), [Prediction("1", 0.99, (("1", 0.99),)), last])
    assert len(fixed.texts) == (last.confidence > 0.9)


def test_what_is_not_sure_enough_says_so(model):
    seen = look(model, Region("r", boxes=BOXES, min_confidence=1.0), shown(407))
    assert seen.texts == ()
    assert seen.reason.startswith("407 only ")
    seen = look(model, Region("r", boxes=BOXES, decimals=2, min_confidence=1.0), shown(407))
    assert seen.reason.startswith("4.07 only ")


def test_what_is_no_digit_says_which(model):
    frame = shown(407)
    frame[:, CELL[1] : 2 * CELL[1]] = 255
    assert look(model, Region("r", boxes=BOXES), frame).reason == "character 2: no character found"


def test_a_frame_that_the_region_does_not_fit(model):
    seen = look(model, Region("r", box=(30, 0, 40, 20), digits=1), shown(407))
    assert seen.reason == "box [30, 0, 40, 20] is not within the frame of 60 × 32"


def test_a_model_of_whole_images_gets_equal_parts(data_root):
    assert equal_parts((10, 5, 101, 20), 3) == [(10, 5, 34, 20), (44, 5, 33, 20), (77, 5, 34, 20)]
    recognizer = Recognizer.load(data_root / "third-party" / "dig-class11_1910_s2.tflite")
    files = [sorted((data_root / "meters" / digit).iterdir())[3] for digit in "407"]
    frame = np.concatenate([cv2.resize(cv2.imread(str(file)), CELL[::-1]) for file in files], 1)
    assert look(recognizer, Region("r", digits=3), frame).texts == ("407",)


def test_a_reader_of_lines(model):
    recognizer = Recognizer.load("digits-line")
    seen = look(recognizer, Region("r", digits=3, min_confidence=0.2), write("407"))
    assert seen.texts == ("407",)
    with pytest.raises(ModelError, match="region r has a box for each digit"):
        look(recognizer, Region("r", boxes=BOXES), shown(407))
