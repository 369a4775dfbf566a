"""How sure a share is that was counted, and whether two classifiers differ on one set."""

from __future__ import annotations

import math

Z95 = 1.959963984540054  # two-sided 95 % of the standard normal


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """The score interval of a share `count / total`: two numbers in [0, 1].

    Wilson 1927 (JASA 22, 209–212); recommended over the textbook's interval by Brown, Cai and DasGupta 2001
    (Statistical Science 16, section 3.1.1): it holds near 0 and 1, where error rates lie.
    Raises ValueError where there is nothing to count or count is not in [0, total].
    """
    if total < 1 or not 0 <= count <= total:
        raise ValueError(f"{count} of {total}; wanted 0 <= count <= total and a total of at least 1")
    share, weight = count / total, Z95 * Z95 / total
    centre = (share + weight / 2) / (1 + weight)
    half = Z95 * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # at the ends the formula gives 0 and 1 but for rounding
    return 0.0 if count == 0 else centre - half, 1.0 if count == total else centre + half


def mcnemar_exact(only_first_wrong: int, only_second_wrong: int) -> float:
    """Two-sided p-value that two classifiers err equally often, from the images on which just one of them errs.

    The exact form of McNemar 1947 (Psychometrika 12): under the hypothesis the smaller count is binomial with 1/2.
    """
    if min(only_first_wrong, only_second_wrong) < 0:
        raise ValueError(f"counts {only_first_wrong} and {only_second_wrong}; wanted none below 0")
    total = only_first_wrong + only_second_wrong
    tail = sum(math.comb(total, count) for count in range(min(only_first_wrong, only_second_wrong) + 1))
    return min(1.0, tail / 2 ** (total - 1)) if total else 1.0
