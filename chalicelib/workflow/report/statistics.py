"""Shares and what chance makes of them, from the standard formulas. Each picture is taken as independent of the others.

The function's layer has no SciPy, and this is all that the report needs of it; the tests compare the two.
"""

import math
from collections.abc import Iterable, Sequence
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95
_Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_TIE = 1 + 1e-7
"""Outcomes as likely as the one that was seen are counted with it, whatever the last digits of a float say."""
MIN_EXPECTED = 5
"""The normal approximation is used where each cell of the 2x2 table expects at least so many."""


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
    """A two-sided test of whether two shares are the same: `p`, the test's name, z where it has one."""

    test: str
    p: float
    z: float | None


def wilson(share: Share) -> Interval:
    """The interval of a share, within 0 to 1.

    Source: E. B. Wilson, Journal of the American Statistical Association 22 (1927) 209; NIST/SEMATECH e-Handbook of
    Statistical Methods, 7.2.4.1.
    """
    n, p = share.of, share.value
    middle = p + _Z**2 / (2 * n)
    reach = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    low, high = ((middle + side * reach) / (1 + _Z**2 / n) for side in (-1, 1))
    return Interval(low if share.hits else 0.0, high if share.hits < n else 1.0)


def difference(first: Share, second: Share) -> Interval:
    """The interval of the second share less the first, -1 to 1, made of both shares' Wilson intervals.

    Source: R. G. Newcombe, Statistics in Medicine 17 (1998) 873, method 10.
    """
    (low_1, high_1), (low_2, high_2) = wilson(first), wilson(second)
    p_1, p_2 = first.value, second.value
    below = math.hypot(p_2 - low_2, high_1 - p_1)
    above = math.hypot(high_2 - p_2, p_1 - low_1)
    return Interval(p_2 - p_1 - below, p_2 - p_1 + above)


def compare(first: Share, second: Share) -> Comparison:
    """The pooled two-proportion z-test, or Fisher's exact test where a cell expects fewer than MIN_EXPECTED.

    Sources: NIST/SEMATECH e-Handbook, 7.3.3; the condition is W. G. Cochran's, Biometrics 10 (1954) 417.
    """
    hits, of = first.hits + second.hits, first.of + second.of
    if min(first.of, second.of) * min(hits, of - hits) < MIN_EXPECTED * of:
        return Comparison("Fisher's exact test", fisher(first, second), None)
    pooled = hits / of
    z = (second.value - first.value) / math.sqrt(pooled * (1 - pooled) * (1 / first.of + 1 / second.of))
    return Comparison("pooled two-proportion z-test", math.erfc(abs(z) / math.sqrt(2)), z)


def fisher(first: Share, second: Share) -> float:
    """Two-sided: the probability of all tables with the same margins that are no likelier than the one seen.

    Source: R. A. Fisher, Journal of the Royal Statistical Society 85 (1922) 87; the hypergeometric distribution.
    """
    hits, of = first.hits + second.hits, first.of + second.of
    possible = range(max(0, hits - second.of), min(hits, first.of) + 1)
    logs = [_log_choose(first.of, k) + _log_choose(second.of, hits - k) for k in possible]
    return _no_likelier(logs, first.hits - possible.start, _log_choose(of, hits))


def binomial(share: Share, expected: float) -> float:
    """Two-sided and exact: the probability of all counts that are no likelier than the one seen.

    Each of `share.of` is a hit with the probability `expected`, independent of the others.
    """
    if not 0 < expected < 1:
        return float(share.value == expected)
    n, log_hit, log_miss = share.of, math.log(expected), math.log1p(-expected)
    logs = [_log_choose(n, k) + k * log_hit + (n - k) * log_miss for k in range(n + 1)]
    return _no_likelier(logs, share.hits, 0.0)


def images_needed(accuracy: float, tellable: float, share_b: float, alpha: float, power: float) -> int | None:
    """About how many pictures in all, `share_b` of them in arm B, tell an accuracy `tellable` away with `power`.

    Two-sided at `alpha`, normal approximation, no continuity correction. None where one arm gets nothing.
    Source: J. L. Fleiss, B. Levin, M. C. Paik, Statistical Methods for Rates and Proportions, 3rd edition (2003),
    chapter 4, samples of unequal size.
    """
    if not 0 < share_b < 1:
        return None
    p_a = accuracy
    p_b = p_a - tellable if p_a >= tellable else p_a + tellable
    ratio = share_b / (1 - share_b)
    pooled = (p_a + ratio * p_b) / (1 + ratio)
    by_chance = NormalDist().inv_cdf(1 - alpha / 2) * math.sqrt((1 + 1 / ratio) * pooled * (1 - pooled))
    by_power = NormalDist().inv_cdf(power) * math.sqrt(p_a * (1 - p_a) + p_b * (1 - p_b) / ratio)
    in_a = ((by_chance + by_power) / tellable) ** 2
    return math.ceil(in_a * (1 + ratio))


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the sorted `values` lie, between two of them in proportion.

    Source: R. J. Hyndman, Y. Fan, The American Statistician 50 (1996) 361, definition 7; NumPy's default.
    """
    place = (len(values) - 1) * share
    below = math.floor(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def _no_likelier(logs: Iterable[float], seen: int, log_scale: float) -> float:
    """The sum of those probabilities, given as logarithms above `log_scale`, that are at most the `seen` one."""
    chances = [math.exp(log - log_scale) for log in logs]
    return min(1.0, math.fsum(chance for chance in chances if chance <= chances[seen] * _TIE))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
