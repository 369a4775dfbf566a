"""How sure a share is that was counted."""

from __future__ import annotations

import math

Z95 = 1.959963984540054  # two-sided 95 % of the standard normal


def wilson_interval(count: int, total: int, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share `count / total`: two numbers in [0, 1].

    Wilson 1927 (JASA 22, 209–212); recommended over the textbook's interval by Brown, Cai and DasGupta 2001
    (Statistical Science 16, section 3.1.1): it holds near 0 and 1, where error rates lie.
    Raises ValueError where there is nothing to count or count is not in [0, total].
    """
    if total < 1 or not 0 <= count <= total:
        raise ValueError(f"{count} of {total}; wanted 0 <= count <= total and a total of at least 1")
    share, weight = count / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # at the ends the formula gives 0 and 1 but for rounding
    return 0.0 if count == 0 else centre - half, 1.0 if count == total else centre + half
