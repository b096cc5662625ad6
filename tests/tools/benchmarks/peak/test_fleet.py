"""Environments: what they take, how fast they grow, when they end."""

import numpy as np
import pytest

from benchmarks.peak.fleet import COLD, PROVISIONED, WARM, Bucket, Fleet
from benchmarks.peak.limits import SCALING_BURST, SCALING_PER_S


@pytest.fixture
def fleet(constant):
    def made(limit=10_000, provisioned=0, timeout_s=30.0, **given):
        return Fleet(constant, limit, provisioned, timeout_s, np.random.default_rng(0), **given)

    return made


def test_a_bucket_is_full_at_first_and_never_holds_more_than_its_burst():
    bucket, taken = Bucket(rate=10, burst=5), []
    for now in (0.0, 100.0):
        while bucket.has(now):
            bucket.tokens -= 1
            taken.append(now)
    assert taken == [0.0] * 5 + [100.0] * 5
    assert not bucket.has(100.05) and bucket.has(100.11)


def test_an_environment_takes_one_request_at_a_time_and_stays_warm(fleet):
    one = fleet()
    assert one.start(0.0) == (pytest.approx(0.5), COLD)
    assert one.start(0.4) == (pytest.approx(0.5), COLD)  # the first is still busy
    assert one.start(0.5) == (pytest.approx(0.1), WARM)
    assert one.cold_at_s == [0.0, 0.4]


def test_what_is_above_the_limit_is_throttled_until_an_environment_is_free(fleet):
    one = fleet(limit=2)
    assert [one.start(0.0) is None for _ in range(3)] == [False, False, True]
    assert one.start(0.49) is None and one.start(0.51) is not None


def test_environments_grow_by_a_thousand_in_ten_seconds_and_unused_growth_is_lost(fleet):
    one = fleet(limit=100_000)
    for now in np.arange(0, 25, 0.0005):
        one.start(float(now))
        assert len(one.cold_at_s) <= SCALING_BURST + SCALING_PER_S * now
    late = fleet(limit=100_000)
    started = [late.start(60.0) for _ in range(3 * SCALING_BURST)]
    assert sum(one is not None for one in started) == SCALING_BURST


def test_lambda_takes_ten_requests_a_second_for_each_unit_of_concurrency(constant):
    quick = type(constant)(np.array([0.001]), np.array([0.001]), np.array([0.001]))
    one = Fleet(quick, 20, 0, 30.0, np.random.default_rng(0))
    taken = sum(one.start(float(now)) is not None for now in np.arange(0, 10, 0.002))  # 500 a second
    assert taken == pytest.approx(20 * 10 * 10 + 20 * 10, rel=0.01)


def test_provisioned_environments_are_used_first_and_load_their_model_once(fleet):
    cold = fleet(provisioned=1)
    assert cold.start(0.0) == (0.2, PROVISIONED)
    assert cold.start(0.1) == (pytest.approx(0.5), COLD)
    assert cold.start(0.3) == (0.1, PROVISIONED)
    assert fleet(provisioned=1, warm_in_init=True).start(0.0) == (0.1, PROVISIONED)


def test_the_time_out_ends_an_environment_and_lambda_replaces_a_provisioned_one(fleet):
    one = fleet(timeout_s=0.45)
    assert one.start(0.0) == (0.45, COLD)
    assert one.start(1.0) == (0.45, COLD) and one.lost_at_s == [0.45]
    kept = fleet(provisioned=1, timeout_s=0.15)
    assert [kept.start(now) for now in (0.0, 0.2)] == [(0.15, PROVISIONED), (0.1, PROVISIONED)]
