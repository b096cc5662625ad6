"""From samples to a recommendation, its price, its table and its picture."""

import io
import json
import re

import pytest
from PIL import Image
from rich.console import Console

from benchmarks.tune.measure import Samples
from benchmarks.tune.outcome import Row, outcomes
from benchmarks.tune.plan import SIZES_MB, Configuration, configurations, too_large
from benchmarks.tune.plot import draw
from benchmarks.tune.prices import USD_PER_CALL, Cost
from benchmarks.tune.tables import remarks, table
from chalicelib.pricing import cost_usd
from localaws.deploy.deployer import PROJECT
from tests.support.outcomes import samples

LEFT_OUT = {5307: "buys 3.0 vCPUs, and this machine has 2"}


@pytest.fixture
def outcome():
    (made,) = outcomes(samples(), LEFT_OUT)
    return made


class TestPlan:
    def test_a_thread_for_each_vcpu_and_two_at_one_vcpu(self):
        chosen = configurations("digits", (512, 1769, 1800, 3538), cpus=2)
        want = [(512, 1), (1769, 1), (1769, 2), (1800, 1), (1800, 2), (3538, 1), (3538, 2)]
        assert [(one.memory_mb, one.threads) for one in chosen] == want

    def test_never_more_threads_than_processors(self):
        assert [one.threads for one in configurations("digits", (1769,), cpus=1)] == [1]

    def test_sizes_that_this_machine_cannot_show_are_left_out_with_the_reason(self):
        assert too_large((3538, 5307), cpus=2) == LEFT_OUT
        assert not too_large(SIZES_MB, cpus=2)


class TestPrices:
    def test_lambdas_price_is_that_of_the_bill(self):
        assert Cost.of(23, 1769).lambda_usd == pytest.approx(cost_usd(22.3, 1769, "x86_64"), rel=1e-12)
        assert Cost.of(23, 1769, "aarch64").lambda_usd == pytest.approx(cost_usd(22.3, 1769, "aarch64"), rel=1e-12)

    def test_one_second_of_one_vcpu(self):
        assert Cost.of(1000, 1769).compute_usd == pytest.approx(2.8792e-5, rel=1e-4)

    def test_the_way_to_the_function_comes_on_top(self):
        cost = Cost.of(23, 1769)
        added = {way: round((cost.with_way_usd(way) - cost.lambda_usd) * 1e6, 6) for way in USD_PER_CALL}
        assert added == {"REST API": 3.5, "HTTP API": 1.0, "function URL": 0.0}


class TestRow:
    def test_medians_whole_billed_milliseconds_and_what_a_dollar_buys(self):
        chosen = Configuration("inception_v3", 1769, 1)
        row = Row.of(chosen, samples()[chosen])
        assert (row.warm_ms, row.billed_ms, row.inference_ms) == (22.3, 23, 15.0)  # of the quiet half
        assert (row.init_ms, row.first_ms, row.cold_billed_ms, row.used_mb) == (160.0, 95.0, 265, 120)
        assert row.usd_per_million == pytest.approx(0.023 * 1769 / 1024 * 16.6667 + 0.2, abs=1e-4)
        assert row.per_dollar == pytest.approx(1e6 / row.usd_per_million, abs=1)
        assert row.compute_per_dollar > row.per_dollar


class TestOutcome:
    def test_the_best_for_speed_cost_and_balance(self, outcome):
        best = [(row.memory_mb, row.threads) for row in (outcome.fastest, outcome.cheapest, outcome.balanced)]
        assert best == [(3538, 2), (1769, 2), (1769, 2)]

    def test_balance_does_not_hang_on_what_else_was_tried(self, outcome):
        without = {chosen: found for chosen, found in samples().items() if chosen.memory_mb not in (128, 512)}
        assert outcomes(without, {})[0].balanced == outcome.balanced

    def test_of_nearly_equal_products_the_cheapest_is_chosen(self):
        made = [Configuration("digits", memory_mb, 1) for memory_mb in (1769, 1800)]
        near = {
            one: Samples([1.0], [1.0], [warm_ms] * 8, [1.0] * 8, [0.0] * 8, 100)
            for one, warm_ms in zip(made, (21.0, 20.5), strict=True)
        }
        (outcome,) = outcomes(near, {})
        assert outcome.balanced.memory_mb == 1769
        assert outcome.fastest.memory_mb == 1800

    def test_other_networks_are_not_compared_with_inception(self):
        (other,) = outcomes(samples("digits"), {})
        assert "literature" not in "".join(remarks(other))

    def test_requests_that_other_programs_disturbed_do_not_count(self, outcome):
        assert max(row.warm_p90_ms - row.warm_ms for row in outcome.rows) < 3

    def test_what_did_not_fit_is_told_beside_what_was_not_tried(self, outcome):
        assert outcome.left_out == {128: "does not fit: 131 MB were needed", **LEFT_OUT}
        assert 128 not in {row.memory_mb for row in outcome.rows}

    def test_json_holds_every_row_and_the_best(self, outcome):
        written = json.loads(json.dumps(outcome.as_json()))
        assert written["best"]["balance"] == {"memory_mb": 1769, "threads": 2}
        assert len(written["rows"]) == 5
        assert written["left_out"]["128"].startswith("does not fit")

    def test_a_bundle_that_fits_nowhere_has_no_outcome(self):
        only = {chosen: found for chosen, found in samples().items() if found.unfit}
        assert outcomes(only, {}) == []


class TestShown:
    def test_the_table_names_machine_and_the_best(self, outcome):
        console = Console(width=140, file=io.StringIO())
        console.print(table(outcome, "a processor"))
        text = console.file.getvalue()
        assert "inception_v3, ms, medians, a processor" in text
        lines = {line.split()[1]: line for line in text.splitlines() if "│" in line}
        assert "speed" in lines["3538"]
        assert "cost, balance" in text

    def test_the_remarks_say_what_was_left_out_and_what_all_of_it_costs(self, outcome):
        text = "\n".join(remarks(outcome))
        assert "5307 MB left out: buys 3.0 vCPUs, and this machine has 2" in text
        assert "Recommended: 1769 MB with 2 thread(s)" in text
        assert "40 to 60 times the 20,000 to 30,000 that the literature states" in text
        assert "REST API $4.33" in text
        assert "us-east-1" in text

    def test_the_picture_is_small(self, outcome, tmp_path):
        draw(outcome, "a processor", tmp_path / "tune.png")
        assert (tmp_path / "tune.png").stat().st_size < 60_000
        with Image.open(tmp_path / "tune.png") as picture:
            assert picture.size == (800, 640)


class TestCommitted:
    """What `docs/tune.json` recommends for Inception v3, and what is deployed."""

    @pytest.fixture
    def committed(self):
        return json.loads((PROJECT / "docs" / "tune.json").read_text())

    def test_the_recommended_size_is_the_deployed_one(self, committed):
        config = json.loads((PROJECT / ".chalice" / "config.json").read_text())
        assert committed["bundles"]["inception_v3"]["best"]["balance"]["memory_mb"] == config["lambda_memory_size"]

    def test_it_names_the_machine_and_the_date(self, committed):
        assert committed["machine"]
        assert len(committed["date"]) == 10
        assert "CFS quota" in committed["shares"]

    def test_there_is_a_picture_of_each_bundle(self, committed):
        for bundle in committed["bundles"]:
            assert 0 < (PROJECT / "docs" / f"tune-{bundle}.png").stat().st_size < 60_000

    def test_the_readmes_table_is_taken_from_it(self, committed):
        stated = [
            tuple(cell.strip(" *").replace(",", "") for cell in line.strip("|").split("|"))
            for line in (PROJECT / "README.md").read_text().splitlines()
            if re.match(r"\| \W*[\d,]+ MB", line)
        ]
        measured = {(row["memory_mb"], row["threads"]): row for row in committed["bundles"]["inception_v3"]["rows"]}
        assert len(stated) == 5
        for size, vcpus, threads, init, first, warm, _, per_dollar in stated:
            row = measured[int(size.removesuffix(" MB")), int(threads)]
            assert (row["vcpus"], round(row["init_ms"]), round(row["first_ms"])) == (
                float(vcpus),
                int(init),
                int(first),
            )
            assert (round(row["warm_ms"], 1), round(row["per_dollar"])) == (float(warm), int(per_dollar))
