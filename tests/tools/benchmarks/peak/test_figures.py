"""Periods, dollars, the batch, and the times that all of it is fed with."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.peak import periods, prices
from benchmarks.peak.batch import simulate_batch
from benchmarks.peak.durations import DOCS, REACHED, UnknownTimes, measured
from benchmarks.peak.simulation import simulate
from chalicelib.batch.cost import estimate
from chalicelib.pricing import USD_PER_GB_SECOND


class TestDollars:
    def test_three_requests_by_hand(self, setup):
        """One cold (500 ms) and two warm ones (100 ms) of an HTTP API, evenly spread."""
        made = setup(per_minute=3, even=True, front_name="http")
        usd = prices.in_all(made, simulate(made))
        assert usd["lambda"] == pytest.approx(0.7 * 1769 / 1024 * 0.0000166667, rel=1e-9)
        assert usd["requests"] == pytest.approx(3 * 0.0000002)
        assert usd["front"] == pytest.approx(3 * 0.000001)
        assert usd["logs"] == pytest.approx(3 * (776 + 127) * 0.5e-9)
        assert usd["provisioned"] == 0

    def test_provisioned_concurrency_pays_for_its_allocation_and_less_for_its_work(self, setup):
        made = setup(per_minute=2, even=True, provisioned=1, warm_in_init=True, arch="arm64")
        usd = prices.in_all(made, simulate(made))
        assert usd["lambda"] == pytest.approx(0.2 * 1769 / 1024 * 0.0000077778, rel=1e-9)
        assert usd["provisioned"] == pytest.approx(1769 / 1024 * 300 * 0.0000033334, rel=1e-9)
        assert USD_PER_GB_SECOND["aarch64"] > 0.0000077778

    def test_what_the_front_refuses_is_free_and_what_lambda_refuses_costs_the_fronts_price(self, setup):
        by_front = simulate(setup(front_name="http", rate=1, burst=1))
        by_lambda = simulate(setup(front_name="http", rate=1000, burst=1000, account_limit=1))
        made = setup(front_name="http")
        of_front, of_lambda = prices.in_all(made, by_front), prices.in_all(made, by_lambda)
        assert of_front["front"] == pytest.approx(by_front.answered.sum() * 1e-6)
        assert of_lambda["front"] == pytest.approx(6000 * 1e-6)
        assert of_lambda["requests"] == pytest.approx(by_lambda.answered.sum() * 0.2e-6)

    def test_the_logs_are_those_that_the_pages_state(self):
        text = (DOCS / "costs.md").read_text()
        assert f"logs: {prices.LINE_BYTES} bytes" in text
        assert prices.ACCESS_LINE_BYTES["HTTP API"] == 101 + 26 and "has 101 bytes, and CloudWatch counts 26" in text


class TestPeriods:
    def test_minutes_and_tens_add_up_to_the_whole(self, setup):
        made = setup(minutes=2, account_limit=5, front_name="http", rate=90)
        found = simulate(made)
        total, by_minute = periods.whole(made, found), periods.minutes(made, found)
        assert len(by_minute) == 3 and by_minute[-1].offered == 0 and by_minute[-1].latency_ms is None
        assert by_minute[-1].environments == total.environments == 5
        for name in ("offered", "answered", "throttled_by_front", "throttled_by_lambda", "cold_starts", "total_usd"):
            assert sum(getattr(one, name) for one in by_minute) == pytest.approx(getattr(total, name))
        peak = periods.peak(made, found)
        assert len(peak) == 6 and sum(one.offered for one in peak) == 6000

    def test_latencies_are_those_of_answers(self, setup):
        made = setup(account_limit=5)
        total = periods.whole(made, simulate(made))
        assert total.latency_ms == (100.0, 100.0, 100.0, 500.0)
        assert total.throttled_share == pytest.approx(1 - total.answered / 6000)


class TestBatch:
    def test_every_picture_has_a_result_after_its_message(self, setup):
        found = simulate_batch(setup(), 10)
        assert len(found.latency_s) == 6000 and found.latency_s.min() >= 0.1
        assert found.last_s == pytest.approx(6000 * 0.1 / 10, rel=0.02)

    def test_pollers_begin_with_five_and_grow_by_five_a_second(self, setup):
        """All pictures at once: t seconds of 5 + 5t workers make 5t + 2.5t^2 worker-seconds."""
        made = setup(per_minute=60_000_000, even=True)
        made = replace(made, load=replace(made.load, only_s=0.006))
        work_s = 6000 * 0.1
        expected_s = (-5 + math.sqrt(25 + 10 * work_s)) / 5
        found = simulate_batch(made, 1000)
        assert found.last_s == pytest.approx(expected_s, rel=0.08)
        assert found.workers == pytest.approx(5 + 5 * found.last_s, abs=6)

    def test_it_costs_what_the_batch_says_of_itself(self, setup):
        made = setup()
        found = simulate_batch(made, 10)
        busy_ms = 6000 * 100.0 + 10 * 400  # ten cold starts
        assert found.usd == pytest.approx(estimate(6000, busy_ms)["total_usd"], abs=1e-4)
        assert simulate_batch(replace(made, arch="arm64"), 10).usd < found.usd


class TestDurations:
    def test_they_are_those_of_the_page(self):
        (row,) = [
            row
            for row in json.loads((DOCS / "tune.json").read_text())["bundles"]["inception_v3"]["rows"]
            if (row["memory_mb"], row["threads"]) == (1769, 1)
        ]
        found = measured(DOCS / "tune.json", "inception_v3", 1769, "x86_64")
        assert np.median(found.warm_s) == pytest.approx(row["warm_ms"] / 1000, rel=0.01)
        assert np.percentile(found.warm_s, 90) == pytest.approx(row["warm_p90_ms"] / 1000, rel=0.01)
        assert np.median(found.init_s) == pytest.approx(row["init_ms"] / 1000, rel=0.01)
        arm64 = measured(DOCS / "tune.json", "inception_v3", 1769, "arm64")
        simd_ms = json.loads((DOCS / "arm64.json").read_text())["instructions"]["dynamic"]["simd_ms"]
        rest_ms = row["warm_ms"] - row["inference_ms"]
        assert np.median(arm64.warm_s) == pytest.approx((simd_ms / REACHED + rest_ms) / 1000, rel=0.01)

    @pytest.mark.parametrize(
        ("bundle", "memory_mb", "arch", "said"),
        [
            ("none", 1769, "x86_64", "--bundle none: not in .*choose one of digits"),
            ("digits", 1, "x86_64", "--memory-mb 1: digits was not measured at it; choose one of 884"),
            ("digits", 1769, "arm64", "arm64 is estimated for inception_v3 and inception_v3_int8 at 1769 MB only"),
        ],
    )
    def test_what_was_not_measured_is_refused(self, bundle, memory_mb, arch, said):
        with pytest.raises(UnknownTimes, match=said):
            measured(DOCS / "tune.json", bundle, memory_mb, arch)
