"""How sure a mean over clips is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Interval:
    """A mean over `count` clips and the 95 % interval around it; infinite ends for one clip alone."""

    mean: float
    low: float
    high: float
    count: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean of the finite values and its 95 % interval by Student's t.

    Values that are not finite are left out, and `count` says how many stayed; without any, all is NaN.
    """
    from scipy.stats import t

    array = np.asarray(list(values), np.float64)
    array = array[np.isfinite(array)]
    count = len(array)
    if count == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    mean = float(array.mean())
    if count == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    reach = float(t.ppf(0.975, count - 1) * array.std(ddof=1) / math.sqrt(count))
    return Interval(mean, mean - reach, mean + reach, count)


def share_interval(hits: int, count: int) -> Interval:
    """A share of clips and Wilson's 95 % interval (1927), which stays within 0..1 for few clips too."""
    if count == 0:
        return Interval(math.nan, math.nan, math.nan, 0)
    z, share = 1.959964, hits / count
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return Interval(share, centre - reach, centre + reach, count)


def separation(higher: Sequence[float], lower: Sequence[float]) -> float:
    """Area under the ROC curve: how often a value of `higher` beats one of `lower`, ties counting half."""
    a, b = np.asarray(higher, np.float64)[:, None], np.asarray(lower, np.float64)[None]
    return float(((a > b) + 0.5 * (a == b)).mean()) if a.size and b.size else math.nan
