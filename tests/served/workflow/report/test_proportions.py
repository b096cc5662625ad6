"""Against published figures, and against SciPy if it is installed."""

import math
import random
from statistics import NormalDist

import pytest

from chalicelib.workflow.report.proportions import (
    Share,
    binomial,
    compare,
    difference,
    fisher,
    pictures_needed,
    wilson,
)


@pytest.fixture
def scipy_stats():
    return pytest.importorskip("scipy.stats", reason="SciPy is not installed")


def shares(count: int, most: int = 400):
    """Pairs of shares, edges among them."""
    chance = random.Random(1)
    for _ in range(count):
        n_1, n_2 = chance.randint(1, most), chance.randint(1, most)
        yield Share(chance.choice([0, n_1, chance.randint(0, n_1)]), n_1), Share(chance.randint(0, n_2), n_2)


class TestWilson:
    @pytest.mark.parametrize(
        ("hits", "of", "low", "high"),
        [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
    )
    def test_newcombes_examples(self, hits, of, low, high):
        """R. G. Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3."""
        assert wilson(Share(hits, of)) == pytest.approx((low, high), abs=5e-5)

    def test_scipys(self, scipy_stats):
        for share, _ in shares(300):
            want = scipy_stats.binomtest(*share).proportion_ci(method="wilson")
            assert wilson(share) == pytest.approx((want.low, want.high), abs=1e-12)

    def test_it_stays_within_0_and_1_and_holds_the_share(self):
        for share, _ in shares(300):
            low, high = wilson(share)
            assert 0 <= low <= share.value <= high <= 1


class TestDifference:
    @pytest.mark.parametrize(
        ("first", "second", "low", "high"),
        [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((5, 56), (0, 29), -0.0381, 0.1926),
            ((0, 10), (0, 20), -0.1611, 0.2775),
        ],
    )
    def test_newcombes_examples(self, first, second, low, high):
        """R. G. Newcombe, Statistics in Medicine 17 (1998) 873, table II, method 10; he subtracts the second."""
        assert difference(Share(*second), Share(*first)) == pytest.approx((low, high), abs=5e-5)

    def test_exchanged_it_changes_sign(self):
        for first, second in shares(100):
            low, high = difference(first, second)
            assert difference(second, first) == pytest.approx((-high, -low))
            assert -1 - 1e-9 <= low <= second.value - first.value <= high <= 1 + 1e-9

    def test_it_covers_the_truth_as_often_as_it_says(self):
        chance = random.Random(3)
        covered = 0
        for _ in range(2000):
            first, second = (Share(sum(chance.random() < p for _ in range(80)), 80) for p in (0.9, 0.85))
            low, high = difference(first, second)
            covered += low <= -0.05 <= high
        assert 0.93 < covered / 2000 < 0.98


class TestCompare:
    def test_the_formula_by_hand(self):
        found = compare(Share(38, 200), Share(60, 200))
        pooled = 98 / 400
        z = (60 / 200 - 38 / 200) / math.sqrt(pooled * (1 - pooled) * 2 / 200)
        assert (found.test, found.z) == ("pooled two-proportion z-test", pytest.approx(z))
        assert found.p == pytest.approx(2 * (1 - NormalDist().cdf(z)))

    def test_its_square_is_the_chi_square_of_the_table(self, scipy_stats):
        for first, second in shares(200):
            found = compare(first, second)
            if found.z is not None:
                table = [[share.hits, share.of - share.hits] for share in (first, second)]
                want = scipy_stats.chi2_contingency(table, correction=False)
                assert (found.z**2, found.p) == pytest.approx((want.statistic, want.pvalue), rel=1e-9, abs=1e-12)

    @pytest.mark.parametrize(
        ("first", "second", "exact"),
        [((90, 100), (95, 100), False), ((45, 50), (46, 50), True), ((0, 500), (0, 500), True),
         ((5, 5), (1, 900), True),
         ((500, 1000), (4, 10), True), ((500, 1000), (4, 12), False)],
    )  # fmt: skip
    def test_small_counts_are_fishers(self, first, second, exact):
        assert (compare(Share(*first), Share(*second)).z is None) == exact

    def test_of_equal_models_one_in_twenty_seems_different(self):
        chance = random.Random(5)
        draw = [[Share(sum(chance.random() < 0.9 for _ in range(200)), 200) for _ in "AB"] for _ in range(1500)]
        false_alarms = sum(compare(*pair).p < 0.05 for pair in draw) / len(draw)
        assert 0.03 < false_alarms < 0.07


class TestFisher:
    @pytest.mark.parametrize(
        ("first", "second", "p"),
        [((3, 4), (1, 4), 0.4857), ((1, 10), (11, 14), 0.002759), ((0, 5), (0, 7), 1.0), ((7, 7), (0, 7), 0.000583)],
    )
    def test_known_tables(self, first, second, p):
        """The first is Fisher's lady and her tea."""
        assert fisher(Share(*first), Share(*second)) == pytest.approx(p, rel=1e-3)

    def test_scipys(self, scipy_stats):
        for first, second in shares(200):
            table = [[share.hits, share.of - share.hits] for share in (first, second)]
            assert fisher(first, second) == pytest.approx(scipy_stats.fisher_exact(table).pvalue, abs=1e-9)


class TestBinomial:
    @pytest.mark.parametrize(("share", "expected", "p"), [((2, 10), 0.5, 112 / 1024), ((5, 10), 0.5, 1.0)])
    def test_by_hand(self, share, expected, p):
        assert binomial(Share(*share), expected) == pytest.approx(p)

    def test_scipys(self, scipy_stats):
        chance = random.Random(2)
        for share, _ in shares(200):
            expected = chance.uniform(0.01, 0.99)
            assert binomial(share, expected) == pytest.approx(scipy_stats.binomtest(*share, expected).pvalue, abs=1e-9)

    @pytest.mark.parametrize(("hits", "expected", "p"), [(0, 0.0, 1.0), (1, 0.0, 0.0), (9, 1.0, 1.0), (8, 1.0, 0.0)])
    def test_without_chance(self, hits, expected, p):
        assert binomial(Share(hits, 9), expected) == p

    def test_a_hundred_thousand_images(self):
        assert binomial(Share(20_000, 100_000), 0.2) == pytest.approx(1.0)
        assert binomial(Share(21_000, 100_000), 0.2) < 1e-12


class TestImagesNeeded:
    def test_fleisss_formula_for_equal_arms(self):
        """0.60 against 0.70 at 5% and 80%: 356 in each arm, a standard table's figure without correction."""
        assert pictures_needed(0.7, 0.1, 0.5, 0.05, 0.8) == pytest.approx(2 * 356, abs=2)

    def test_an_unequal_split_needs_more(self):
        needed = [pictures_needed(0.95, 0.02, share_b, 0.05, 0.8) for share_b in (0.5, 0.3, 0.1, 0.01)]
        assert needed == sorted(needed) and needed[0] < needed[-1] / 20

    @pytest.mark.parametrize(("accuracy", "share_b"), [(0.9, 0.5), (0.97, 0.2)])
    def test_with_so_many_the_difference_is_found_four_times_in_five(self, accuracy, share_b):
        chance = random.Random(7)
        needed = pictures_needed(accuracy, 0.05, share_b, 0.05, 0.8)
        in_b = round(needed * share_b)
        found = 0
        for _ in range(400):
            first = Share(sum(chance.random() < accuracy for _ in range(needed - in_b)), needed - in_b)
            second = Share(sum(chance.random() < accuracy - 0.05 for _ in range(in_b)), in_b)
            found += compare(first, second).p < 0.05
        assert 0.72 < found / 400 < 0.88

    @pytest.mark.parametrize("share_b", [0, 1])
    def test_one_arm_alone_shows_nothing(self, share_b):
        assert pictures_needed(0.9, 0.02, share_b, 0.05, 0.8) is None

    @pytest.mark.parametrize("accuracy", [0, 0.01, 1])
    def test_at_the_edges(self, accuracy):
        assert 300 < pictures_needed(accuracy, 0.02, 0.5, 0.05, 0.8) < 3000
