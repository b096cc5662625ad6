"""What holds of every simulation, and what is known in closed form."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peak.durations import Durations
from benchmarks.peak.limits import FRONTS
from benchmarks.peak.path import ANSWERED, THROTTLED_BY_FRONT, THROTTLED_BY_LAMBDA, TIMED_OUT
from benchmarks.peak.simulation import simulate

CASES = {
    "ample": {},
    "few environments": {"account_limit": 5},
    "a front that throttles": {"front_name": "http"},
    "both": {"front_name": "rest", "account_limit": 1},
    "clients that try again": {"front_name": "http", "retries": 3, "account_limit": 4},
    "provisioned": {"provisioned": 3, "account_limit": 6},
}


@pytest.mark.parametrize("given", CASES.values(), ids=CASES)
def test_every_request_has_one_end(setup, given):
    made = setup(**given)
    found = simulate(made)
    counts = [int((found.outcome == kind).sum()) for kind in range(4)]
    assert sum(counts) == made.load.per_minute == len(found.arrived_s)
    assert counts[TIMED_OUT] == 0 and counts[ANSWERED] > 0
    assert (found.invoked == (found.outcome == ANSWERED)).all()
    assert (found.passed <= found.tries).all() and (found.tries <= 1 + made.retries).all()
    assert ((found.tries == 1 + made.retries) | found.answered).all()
    assert len(found.cold_at_s) == found.cold.sum()


def test_with_ample_environments_latency_is_the_warm_time(setup):
    """M/D/infinity: nothing waits, and Poisson arrivals find a busy number whose mean is rate times time."""
    found = simulate(setup(provisioned=900, warm_in_init=True))
    assert found.answered.all() and not found.cold.any()
    assert found.latency_s == pytest.approx(0.1)


@pytest.mark.parametrize("limit", [3, 8, 1000])
def test_littles_law(setup, limit):
    """The mean number of busy environments is the rate of answers times their mean duration."""
    made = setup(account_limit=limit, provisioned=limit // 2)
    found = simulate(made)
    began, took = found.arrived_s[found.invoked], found.duration_s[found.invoked]
    at = np.linspace(0, 60, 5001)
    busy = np.array([((began <= now) & (now < began + took)).sum() for now in at])
    assert busy.max() <= limit
    assert busy.mean() == pytest.approx(found.answered.sum() / 60 * took.mean(), rel=0.02)


def test_throttling_is_erlangs_loss_formula(setup):
    """M/G/c/c: the share of lost requests depends on load and environments alone."""
    spread = np.linspace(0.05, 0.15, 11)
    made = setup(per_minute=60_000, account_limit=100, front_name="url")
    found = simulate(replace(made, durations=Durations(spread, spread, spread)))
    erlangs, lost = 1000 * spread.mean(), 1.0
    for environments in range(1, 101):
        lost = erlangs * lost / (environments + erlangs * lost)
    assert (found.outcome == THROTTLED_BY_LAMBDA).mean() == pytest.approx(lost, rel=0.1)


def test_a_higher_limit_never_throttles_more(setup):
    shares = [float(simulate(setup(account_limit=limit)).throttled.mean()) for limit in (1, 3, 6, 10, 20, 60)]
    assert shares == sorted(shares, reverse=True) and shares[0] > 0.8 and shares[-1] == 0


@pytest.mark.parametrize("front", ["rest", "http"])
def test_the_stages_throttle_lets_its_burst_and_its_rate_pass(setup, front):
    found = simulate(setup(front_name=front, rate=20, burst=40))
    assert found.answered.sum() == pytest.approx(40 + 20 * 60, abs=2)
    assert not (found.outcome == THROTTLED_BY_LAMBDA).any()
    assert not simulate(setup(front_name="url", rate=20, burst=40)).throttled.any()


def test_the_accounts_throttle_bounds_what_the_stage_lets_pass(setup):
    made = setup(per_minute=1_200_000, front_name="http", rate=1e6, burst=1e6)
    passed = int(simulate(replace(made, account_limit=1)).passed.sum())
    front = FRONTS["http"]
    assert passed == pytest.approx(front.account_burst + 60 * front.account_rate, rel=0.001)


def test_the_front_answers_in_place_of_a_function_that_is_late(setup):
    slow = Durations(np.array([0.0]), np.array([29.5]), np.array([29.5]))
    outcomes = {
        front: set(simulate(setup(per_minute=60, front_name=front, durations=slow)).outcome) for front in FRONTS
    }
    assert outcomes == {"rest": {TIMED_OUT}, "http": {ANSWERED}, "url": {ANSWERED}}
    late = simulate(setup(per_minute=60, front_name="rest", durations=slow))
    assert set(late.latency_s.round(3)) == {29.0} and set(late.duration_s.round(3)) == {29.5}


def test_clients_that_try_again_are_answered_later(setup):
    once, again = (simulate(setup(front_name="http", rate=60, retries=retries)) for retries in (0, 8))
    assert again.answered.sum() > once.answered.sum()
    assert again.latency_s.max() > 1 > once.latency_s.max()
    assert (again.outcome[again.tries == 9] == THROTTLED_BY_FRONT).any() or again.answered.all()


def test_the_same_seed_gives_the_same_result_and_another_one_another(setup):
    one, same, other = (simulate(setup(account_limit=5, seed=seed)) for seed in (1, 1, 2))
    assert (one.outcome == same.outcome).all() and (one.latency_s == same.latency_s).all()
    assert one.outcome.tolist() != other.outcome.tolist()


def test_a_million_in_one_minute_and_none_in_the_next(setup):
    found = simulate(setup(per_minute=1_000_000, front_name="http"))
    assert len(found.arrived_s) == 1_000_000 and found.arrived_s.max() < 60
    assert found.answered.sum() == pytest.approx(40 + 20 * 60, abs=2)


def test_evenly_spread_requests_come_at_equal_distances(setup):
    found = simulate(setup(minutes=2, even=True))
    assert len(found.arrived_s) == 12_000
    assert np.diff(found.arrived_s) == pytest.approx(0.01)
