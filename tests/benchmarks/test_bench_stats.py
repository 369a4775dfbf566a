"""Statistics against values that others published, and against laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glyphlite.benchmarks import mcnemar_exact, median_interval, percentiles, wilson_interval


@pytest.mark.parametrize(
    ("count", "total", "low", "high"),
    [
        (0, 10, 0.0000, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0000),
        # Newcombe 1998 (Statistics in Medicine 17, 857–872), table I, method 3
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_has_the_published_ends(count, total, low, high):
    assert wilson_interval(count, total) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_interval_holds_the_share_and_mirrors(case):
    count, total = case
    low, high = wilson_interval(count, total)
    assert 0 <= low <= count / total <= high <= 1
    assert wilson_interval(total - count, total) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@pytest.mark.parametrize(("count", "total"), [(0, 0), (-1, 10), (11, 10)])
def test_wilson_interval_refuses_what_is_no_share(count, total):
    with pytest.raises(ValueError, match=f"{count} of {total}"):
        wilson_interval(count, total)


def test_percentiles_lie_between_samples():
    assert percentiles([10, 20, 30, 40, 50], (0, 50, 90, 100)).tolist() == [10, 30, 46, 50]


def test_mcnemar_is_the_binomial_test():
    assert mcnemar_exact(0, 0) == 1
    assert mcnemar_exact(7, 7) == 1
    assert mcnemar_exact(0, 6) == mcnemar_exact(6, 0) == pytest.approx(2 / 64)
    assert mcnemar_exact(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    # scipy.stats.binomtest(6, 65).pvalue and (1000, 2200): no overflow where there are many
    assert mcnemar_exact(59, 6) == pytest.approx(4.964650327128616e-12, rel=1e-9)
    assert mcnemar_exact(1000, 1200) == pytest.approx(2.1817026407914194e-05, rel=1e-9)


def test_median_interval_covers_the_true_median_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        low, high = median_interval(rng.exponential(size=60), resamples=300, seed=trial)
        covered += low <= np.log(2) <= high
    assert 180 <= covered <= 199  # 95 % of 200 is 190; its binomial 99.9 % range is 179 to 198


def test_median_interval_is_repeatable_and_narrows():
    values = np.random.default_rng(2).normal(10, 1, 400)
    assert median_interval(values) == median_interval(values)
    wide, narrow = median_interval(values[:25]), median_interval(values)
    assert narrow[1] - narrow[0] < wide[1] - wide[0]
