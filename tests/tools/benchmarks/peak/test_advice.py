"""What holds a load follows from simulations."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.peak import check, tables
from benchmarks.peak.__main__ import main
from benchmarks.peak.advice import HELD, steps
from benchmarks.peak.batch import simulate_batch
from benchmarks.peak.check import agrees
from benchmarks.peak.closed import Clients, Seen, simulate_clients
from benchmarks.peak.durations import Durations
from benchmarks.peak.fleet import Bucket, Fleet
from benchmarks.peak.limits import SCALING_BURST
from benchmarks.peak.path import ANSWERED, Path
from benchmarks.peak.simulation import simulate


def advised(setup):
    found = list(steps(setup))
    return found, " ".join(tables.advice(found, [simulate_batch(setup, 1000)]))


def test_what_holds_needs_no_advice(setup):
    found, said = advised(setup())
    assert [step.name for step in found] == ["as it is"] and said.startswith("Held as it is: 100.00% are answered")


def test_a_throttle_is_named_with_its_command(setup):
    found, said = advised(setup(front_name="http"))
    assert found[-1].held and found[-1].setup.rate == 10_000
    assert "HTTP API throttles" in said and "`python -m layers front --stage dev --rate 10000 --burst 5000`" in said
    assert "ask AWS" not in said


def test_the_limit_to_ask_for_is_what_lambda_would_use(setup):
    found, said = advised(setup(account_limit=5, even=True))
    assert [step.setup.limit for step in found] == [5, 100]
    assert found[-1].held and "a concurrency of 100 (ask AWS)" in said and "provisioned" not in said


def test_a_peak_that_is_steeper_than_lambda_grows_needs_provisioned_concurrency(setup):
    made = setup(per_minute=300_000, even=True)
    slow = replace(made, durations=Durations(np.array([0.5]), np.array([0.5]), np.array([0.5])))
    found, said = advised(slow)
    *_, plain, retrying, last = found
    assert not plain.held and plain.figures.environments > SCALING_BURST
    assert retrying.requests.tries.max() > 1
    assert last.held and last.setup.provisioned % 100 == 0
    fewer = replace(last.setup, provisioned=last.setup.provisioned - 100)
    assert simulate(fewer).unanswered_share > HELD  # it is the least
    assert f"provisioned concurrency {last.setup.provisioned:,}" in said


class TestClients:
    def test_one_client_that_is_never_throttled(self, constant):
        fleet = Fleet(constant, 1, 0, 30.0, np.random.default_rng(0))
        seen = simulate_clients(Path([Bucket(9e9, 9e9)], fleet, 30.0, 30.0), Clients(1, 100.0, 0.1), 0.05, 9.0, seed=0)
        assert (seen.outcome == ANSWERED).all()
        assert len(seen.outcome) == pytest.approx(100 / (0.1 + 0.05 + 0.1), rel=0.05)
        assert seen.latency_s[1:] == pytest.approx(0.15)

    def test_throttling_of_a_finite_number_is_engsets_formula(self):
        """24 clients that think at rate 1/z, 4 environments: blocked tries, by the states' weights."""
        think_s, work_s, environments, number = 0.5, 0.25, 4, 24
        times = Durations(np.array([0.0]), np.array([work_s]), np.array([work_s]))
        fleet = Fleet(times, environments, 0, 30.0, np.random.default_rng(0))
        path = Path([], fleet, 30.0, 30.0)
        seen = simulate_clients(path, Clients(number, 2000.0, think_s), 0.0, 0.0, seed=0)
        weights = [_choose(number - 1, busy) * (work_s / think_s) ** busy for busy in range(environments + 1)]
        found = Seen(seen.latency_s, seen.outcome).figures(2000.0)
        assert found["throttled by Lambda"] == pytest.approx(weights[-1] / sum(weights), rel=0.03)


def _choose(number, chosen):
    product = 1.0
    for index in range(chosen):
        product *= (number - index) / (index + 1)
    return product


def test_the_command_writes_figures_and_a_picture(tmp_path, capsys):
    given = ["--per-minute", "6000", "--account-limit", "2", "--arrivals", "even", "--workers", "10"]
    assert main([*given, "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / "peak.json").read_text())
    first, *_, last = written["steps"]
    assert (first["held"], last["held"]) == (False, True)
    assert first["in_all"]["offered"] == 6000 == sum(one["offered"] for one in first["minutes"])
    assert first["setup"]["account_limit"] == 2 and last["setup"]["account_limit"] > 2
    with Image.open(tmp_path / "peak.png") as picture:
        assert picture.width > picture.height
    said = capsys.readouterr().out
    assert "Not held as it is" in said and "Held with:" in said and written["advice"][0] in said


def test_the_table_of_every_front(tmp_path, capsys):
    assert main(["--every-front", "--per-minute", "6000", "--workers", "10", "--out", str(tmp_path)]) == 0
    rows = json.loads((tmp_path / "peak-fronts.json").read_text())["fronts"]
    assert {(row["front"], row["arch"]) for row in rows} == {
        (front, arch) for front in ("rest", "http", "url") for arch in ("x86_64", "arm64")
    }
    assert all(row["held"] for row in rows) and "| REST API | arm64 | 10,000 |" in capsys.readouterr().out


def test_unknown_times_are_one_line(capsys):
    assert main(["--bundle", "none"]) == 2
    assert capsys.readouterr().err.startswith("error: --bundle none: not in ")


@pytest.mark.parametrize(
    ("what", "predicted", "seen", "near"),
    [
        ("latency p50, ms", 100, 114, True),
        ("latency p50, ms", 100, 84, False),
        ("throttled by Lambda", 0.5, 0.58, False),
        ("throttled by Lambda", 0.05, 0.065, True),
        ("throttled by Lambda", 0.0, 0.03, False),
        ("throttled by the front", 0.0, 0.0, True),
    ],
)
def test_what_is_near_enough(what, predicted, seen, near):
    assert agrees(predicted, seen, what) == near


@pytest.mark.parametrize("run", check.RUNS, ids=str)
def test_the_check_needs_new_instances_when_clients_come(run):
    """Of 24 clients whose first pauses lie evenly in 2 s, the next one comes after a twelfth of a second on average."""
    turns = [check.first_requests(run, random.Random(seed)) for seed in range(500)]
    for found in turns:
        assert len(found) == run.instances and found[0] == 0
        assert found == sorted(found) and found[-1] < 2 * check.CLIENTS.pause_s
    pauses_s = np.diff(turns, axis=1).mean()
    assert pauses_s == pytest.approx(2 * check.CLIENTS.pause_s / (check.CLIENTS.number + 1), rel=0.1)
