"""Coverage curves by hand."""

import numpy as np

from glyphlite.benchmarks.coverage import Point, curve, said, trusted

CONFIDENCES = np.array([0.95, 0.9, 0.9, 0.6, 0.0])
RIGHT = np.array([True, True, False, True, False])


def test_a_curve_counts_what_is_sure_enough():
    points = {point.min_confidence: point for point in curve(CONFIDENCES, RIGHT)}
    assert points[0.0] == Point(0.0, 0.8, 0.75)  # what has no answer is never accepted
    assert points[0.9] == Point(0.9, 0.6, 2 / 3)
    assert points[0.98] == Point(0.98, 0.0, None)  # of nothing, no share is right
    assert said(curve(CONFIDENCES, RIGHT)).splitlines()[-1].split() == ["0.99", "0.0", "%", "–"]
    assert curve(CONFIDENCES, RIGHT, np.array([0.3, 0.97]))[5].refused == 0.5


def test_the_most_that_may_be_trusted():
    assert trusted(CONFIDENCES, RIGHT, 0.99) == Point(0.95, 0.2, 1.0)
    assert trusted(CONFIDENCES, RIGHT, 0.75) == Point(0.6, 0.8, 0.75)
    assert trusted(CONFIDENCES, ~RIGHT, 0.99) is None
    assert trusted(np.zeros(2), np.zeros(2, bool)) is None


def test_a_table_has_a_column_for_others_only_where_they_were_judged():
    assert said([Point(0.5, 0.25, 0.875)]).splitlines()[1].split() == ["0.5", "25.0", "%", "87.50", "%"]
    assert "others" not in said([Point(0.5, 0.25, 0.875)])
    assert "others" in said([Point(0.5, 0.25, 0.875, 0.5)])
