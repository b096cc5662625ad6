"""Proportions: intervals, tests and sample size, by the standard formulas, each picture independent of the others.

The function's layer has no SciPy, and the report needs no more of it than this; the tests compare the two.
"""

import math
from collections.abc import Iterable
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_TIE = 1 + 1e-7
"""Outcomes as likely as the observed one are counted with it; this absorbs the rounding of floats."""
MIN_EXPECTED = 5
"""The normal approximation is used if the expected count of each cell of the 2x2 table is at least this."""


class Share(NamedTuple):
    """`hits` of `of`; `of` is at least 1."""

    hits: int
    of: int

    @property
    def value(self) -> float:
        """0 to 1."""
        return self.hits / self.of


class Interval(NamedTuple):
    """Where a value lies with 95% confidence."""

    low: float
    high: float


class Comparison(NamedTuple):
    """A two-sided test of whether two shares are the same: its name, its p-value, and z, or None for an exact test."""

    test: str
    p: float
    z: float | None


def wilson(share: Share) -> Interval:
    """The 95% interval of a share, within 0 to 1.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209; NIST/SEMATECH e-Handbook of
    Statistical Methods, 7.2.4.1.
    """
    n, p = share.of, share.value
    middle = p + _Z**2 / (2 * n)
    reach = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    low, high = ((middle + side * reach) / (1 + _Z**2 / n) for side in (-1, 1))
    return Interval(low if share.hits else 0.0, high if share.hits < n else 1.0)


def difference(first: Share, second: Share) -> Interval:
    """The 95% interval of the second share less the first, -1 to 1, from the Wilson intervals of both.

    Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 873, method 10.
    """
    (low_1, high_1), (low_2, high_2) = wilson(first), wilson(second)
    p_1, p_2 = first.value, second.value
    below = math.hypot(p_2 - low_2, high_1 - p_1)
    above = math.hypot(high_2 - p_2, p_1 - low_1)
    return Interval(p_2 - p_1 - below, p_2 - p_1 + above)


def compare(first: Share, second: Share) -> Comparison:
    """The pooled two-proportion z-test, or Fisher's exact test if a cell expects fewer than MIN_EXPECTED.

    Sources: NIST/SEMATECH e-Handbook, 7.3.3; the condition is W. G. Cochran's, Biometrics 10 (1954) 417.
    """
    hits, of = first.hits + second.hits, first.of + second.of
    if min(first.of, second.of) * min(hits, of - hits) < MIN_EXPECTED * of:
        return Comparison("Fisher's exact test", fisher(first, second), None)
    pooled = hits / of
    z = (second.value - first.value) / math.sqrt(pooled * (1 - pooled) * (1 / first.of + 1 / second.of))
    return Comparison("pooled two-proportion z-test", math.erfc(abs(z) / math.sqrt(2)), z)


def fisher(first: Share, second: Share) -> float:
    """The two-sided p-value: the probability of all tables with these margins that are at most as likely as this one.

    Source: R. A. Fisher, Journal of the Royal Statistical Society 85 (1922) 87; the hypergeometric distribution.
    """
    hits, of = first.hits + second.hits, first.of + second.of
    possible = range(max(0, hits - second.of), min(hits, first.of) + 1)
    logs = [_log_choose(first.of, k) + _log_choose(second.of, hits - k) for k in possible]
    return _no_likelier(logs, first.hits - possible.start, _log_choose(of, hits))


def binomial(share: Share, expected: float) -> float:
    """The exact two-sided p-value: the probability of all counts that are at most as likely as this one.

    Each of `share.of` is a hit with the probability `expected`, independent of the others.
    """
    if not 0 < expected < 1:
        return float(share.value == expected)
    n, log_hit, log_miss = share.of, math.log(expected), math.log1p(-expected)
    logs = [_log_choose(n, k) + k * log_hit + (n - k) * log_miss for k in range(n + 1)]
    return _no_likelier(logs, share.hits, 0.0)


def pictures_needed(accuracy: float, detectable: float, share_b: float, alpha: float, power: float) -> int | None:
    """About how many pictures, `share_b` of them in arm B, show a difference of accuracy of `detectable` with `power`.

    All arguments are 0 to 1. Two-sided at `alpha`, normal approximation, no continuity correction. None if one arm gets
    no pictures.
    Source: J. L. Fleiss, B. Levin, M. C. Paik, Statistical Methods for Rates and Proportions, 3rd edition (2003),
    chapter 4, samples of unequal size.
    """
    if not 0 < share_b < 1:
        return None
    p_a = accuracy
    p_b = p_a - detectable if p_a >= detectable else p_a + detectable
    ratio = share_b / (1 - share_b)
    pooled = (p_a + ratio * p_b) / (1 + ratio)
    by_chance = NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    by_power = NormalDist().inv_cdf(power) * math.sqrt(p_a * (1 - p_a) + p_b * (1 - p_b) / ratio)
    in_a = ((by_chance + by_power) / detectable) ** 2
    return math.ceil(in_a * (1 + ratio))


def _no_likelier(logs: Iterable[float], seen: int, log_scale: float) -> float:
    """The sum of the probabilities that are at most the one at `seen`; `logs` are their logarithms plus `log_scale`."""
    chances = [math.exp(log - log_scale) for log in logs]
    return min(1.0, math.fsum(chance for chance in chances if chance <= chances[seen] * _TIE))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
