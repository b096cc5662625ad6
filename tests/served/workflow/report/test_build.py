"""Rows in, figures and a verdict out."""

import dataclasses
import itertools
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.pricing import cost_usd
from chalicelib.split import Split
from chalicelib.workflow.report.arms import quantile
from chalicelib.workflow.report.build import build
from chalicelib.workflow.report.proportions import pictures_needed
from chalicelib.workflow.report.row import Row

SPLIT = Split("spring", "digits", "digits-f16", 0.3)
BROKEN = {"Code": "UnprocessableEntityError", "Message": "broken"}


def rows(
    count: int,
    accuracy_a: float = 0.98,
    accuracy_b: float = 0.98,
    broken: float = 0.0,
    fallbacks: float = 0.0,
    labelled: bool = True,
    shadow: float = 0.0,
    seed: int = 1,
) -> Iterator[Row]:
    """Invented results, dealt by the split; B takes 0.6 of A's time."""
    chance = random.Random(seed)
    for number in range(count):
        key, want = f"digits/{number % 10}/{number:06}.png", str(number % 10)
        arm = SPLIT.arm(key)
        if chance.random() < broken:
            yield Row(key, arm, error=BROKEN, expected=want if labelled else None)
            continue
        fallback = arm == "B" and chance.random() < fallbacks
        answering = "A" if fallback else arm
        right = chance.random() < (accuracy_a if answering == "A" else accuracy_b)
        inference_ms = chance.lognormvariate(0, 0.3) * (1 if answering == "A" else 0.6)
        yield Row(
            key,
            arm,
            SPLIT.model(answering),
            want if right else "wrong",
            0.9,
            fallback,
            inference_ms=round(inference_ms, 2),
            total_ms=round(inference_ms * 2, 2),
            expected=want if labelled else None,
            shadow_label=want if chance.random() < shadow else None,
        )


def report(given, **changes: Any) -> dict[str, Any]:
    return build(given, SPLIT._replace(**changes), 1769, "x86_64")


def in_arm(arm: str, count: int, **fields: Any) -> list[Row]:
    keys = (key for key in map(str, itertools.count()) if SPLIT.arm(key) == arm)
    return [Row(key, arm, **fields) for key in itertools.islice(keys, count)]


class TestCounts:
    @pytest.mark.parametrize("given", [{}, {"broken": 0.1}, {"fallbacks": 0.3}, {"broken": 0.2, "fallbacks": 1.0}])
    def test_they_add_up(self, given):
        made = report(rows(2000, **given))
        counts, arms = made["counts"], made["arms"].values()
        assert counts["images"] == 2000 == counts["answered"] + counts["failed"]
        for name in ("images", "answered", "failed", "fallbacks"):
            assert counts[name] == sum(arm[name] for arm in arms)
        for arm in arms:
            assert arm["images"] == arm["own"] + arm["fallbacks"] + arm["failed"]
            assert arm["answered"] == arm["own"] + arm["fallbacks"]
            assert arm["failed"] == sum(arm["failures"].values())

    def test_failures_by_code(self):
        given = [*in_arm("A", 3, error=BROKEN), *in_arm("B", 2, error={"Code": "Lambda.Unknown"}), *in_arm("A", 0)]
        arms = report(given)["arms"]
        assert arms["A"]["failures"] == {"UnprocessableEntityError": 3}
        assert arms["B"]["failures"] == {"Lambda.Unknown": 2}

    def test_a_key_counts_once_whatever_comes_twice_and_in_whatever_order(self):
        given = list(rows(500, broken=0.05, fallbacks=0.1, shadow=0.3))
        doubled = [*given, *given[:100], *(dataclasses.replace(row, label="wrong") for row in given[200:260])]
        doubled += [Row(row.key, row.arm, error=BROKEN) for row in given[300:350]]
        want = None
        for seed in range(5):
            random.Random(seed).shuffle(doubled)
            made = json.dumps(report(iter(doubled)))
            want = want or made
            assert made == want
        assert json.loads(want)["counts"]["images"] == 500
        assert json.loads(want)["counts"]["duplicates"] == 210

    def test_an_answer_wins_over_an_error_and_the_own_models_over_a_fallback(self):
        own = in_arm("B", 1, label="7", expected="7")[0]
        fallback = dataclasses.replace(own, fallback=True, label="a")
        failed = Row(own.key, "B", error=BROKEN)
        for order in itertools.permutations([own, fallback, failed]):
            arm = report(order)["arms"]["B"]
            assert (arm["images"], arm["own"], arm["accuracy"]["hits"]) == (1, 1, 1)
        assert report([failed, fallback])["arms"]["B"]["fallbacks"] == 1

    def test_fallbacks_by_reason(self):
        given = in_arm("B", 9, label="7", fallback=True)
        given = [dataclasses.replace(row, because=None if n < 2 else "Sandbox.Timedout") for n, row in enumerate(given)]
        arms = report(given)["arms"]
        assert arms["B"]["fallback_reasons"] == {"Sandbox.Timedout": 7, "SecondModelError": 2}
        assert (arms["B"]["fallbacks"], arms["A"]["fallback_reasons"]) == (9, {})

    def test_no_rows_at_all(self):
        made = report([])
        assert made["counts"] == {"images": 0, "answered": 0, "failed": 0, "fallbacks": 0, "duplicates": 0}
        assert made["verdict"]["text"] == "No verdict: arm A has no images."
        json.dumps(made)


class TestSplit:
    def test_a_fair_one(self):
        split = report(rows(5000))["split"]
        assert (split["expected_b"], split["within_chance"], split["misplaced"]) == (0.3, True, 0)
        assert split["seen_b"] == pytest.approx(0.3, abs=0.03) and split["p"] > 0.001

    def test_rows_of_another_split_are_detected(self):
        split = report(rows(5000), weight=0.4)["split"]
        assert not split["within_chance"] and split["p"] < 1e-6
        assert report(rows(100), experiment="autumn")["split"]["misplaced"] > 20


class TestTimesAndCost:
    def test_quantiles_are_of_the_own_models_answers(self):
        given = in_arm("B", 100, label="7", total_ms=10.0, inference_ms=4.0)
        given += [dataclasses.replace(row, fallback=True, total_ms=99.0) for row in in_arm("B", 140, label="7")[100:]]
        arm = report(given)["arms"]["B"]
        assert arm["total_ms"] == {"p50": 10.0, "p95": 10.0, "of": 100}
        assert arm["inference_ms"] == {"p50": 4.0, "p95": 4.0, "of": 100}

    @pytest.mark.parametrize(
        ("values", "share", "want"),
        [([5], 0.95, 5), ([1, 2], 0.5, 1.5), ([0, 10, 20, 30, 40], 0.95, 38), ([1, 2, 9], 1, 9)],
    )
    def test_quantiles_are_interpolated(self, values, share, want):
        assert quantile(values, share) == pytest.approx(want)

    def test_the_cost_is_the_whole_arms_where_a_time_is_known(self):
        given = in_arm("A", 3, label="7", total_ms=10.2)
        given += [Row(row.key, "A", error=BROKEN, total_ms=2.0) for row in in_arm("A", 4)[3:]]
        given += [Row(row.key, "A", error=BROKEN) for row in in_arm("A", 6)[4:]]
        cost = report(given)["arms"]["A"]["cost"]
        want = 3 * cost_usd(10.2, 1769, "x86_64") + cost_usd(2.0, 1769, "x86_64")
        assert (cost["usd"], cost["of"]) == (pytest.approx(want, rel=1e-4), 4)
        assert cost["usd_per_million"] == pytest.approx(want / 4 * 1e6, rel=1e-4)

    def test_both_names_of_a_processor_cost_the_same(self):
        given = list(rows(50))
        costs = [build(given, SPLIT, 1769, name)["arms"]["A"]["cost"] for name in ("arm64", "aarch64", "x86_64")]
        assert costs[0] == costs[1] != costs[2]

    def test_the_ratios(self):
        latency = report(rows(3000))["latency"]
        assert latency["inference_ratio"] == pytest.approx(0.6, abs=0.05)
        assert latency["total_ratio"] == pytest.approx(0.6, abs=0.05)

    def test_nothing_known(self):
        made = report(in_arm("A", 2, label="7") + in_arm("B", 2, label="7"))
        assert made["latency"] == {"inference_ratio": None, "total_ratio": None}
        assert made["arms"]["A"]["cost"] is made["arms"]["A"]["total_ms"] is made["arms"]["A"]["accuracy"] is None


class TestAgreement:
    def test_of_what_both_classified(self):
        given = in_arm("A", 8, label="7", shadow_label="7") + in_arm("B", 2, label="1", shadow_label="7", expected="1")
        given += [dataclasses.replace(row, label="2") for row in in_arm("A", 12)[8:]]  # no shadow answer
        agreement = report(given)["agreement"]
        assert (agreement["hits"], agreement["of"], agreement["share"]) == (8, 10, 0.8)
        assert agreement["low"] < 0.8 < agreement["high"]
        assert [row | {"key": ""} for row in agreement["differing"]] == [
            {"key": "", "A": "7", "B": "1", "expected": "1"}
        ] * 2

    def test_fallbacks_compare_a_model_with_itself_and_do_not_count(self):
        given = in_arm("B", 5, label="7", shadow_label="7", fallback=True) + in_arm("A", 5, label="7")
        assert report(given)["agreement"] is None

    def test_ten_differences_are_shown(self):
        agreement = report(in_arm("A", 50, label="7", shadow_label="1"))["agreement"]
        assert len(agreement["differing"]) == 10 and agreement["of"] - agreement["hits"] == 50


class TestAccuracy:
    def test_a_fallback_is_no_answer_of_bs_and_a_failure_is_not_wrong(self):
        given = in_arm("B", 10, label="7", expected="7")
        given += [dataclasses.replace(row, fallback=True, label="1", expected="7") for row in in_arm("B", 15)[10:]]
        given += [dataclasses.replace(row, error=BROKEN, expected="7") for row in in_arm("B", 18)[15:]]
        given += [dataclasses.replace(row, label="9") for row in in_arm("B", 20)[18:]]  # without an expected label
        arm = report(given)["arms"]["B"]
        assert (arm["accuracy"]["hits"], arm["accuracy"]["of"]) == (10, 10)
        assert (arm["fallbacks"], arm["failed"], arm["own"]) == (5, 3, 12)

    def test_the_test_is_named(self):
        assert report(rows(3000, 0.9, 0.9))["accuracy"]["test"] == "pooled two-proportion z-test"
        few = report(rows(60))["accuracy"]
        assert (few["test"], few["z"]) == ("Fisher's exact test", None)


class TestVerdict:
    @pytest.mark.parametrize(
        ("given", "kind", "says"),
        [
            ({"count": 8000}, "same", "B (digits-f16) is as accurate as A (digits) within "),
            ({"count": 4000, "accuracy_b": 0.92}, "worse", "B (digits-f16) is worse than A (digits) by "),
            ({"count": 4000, "accuracy_a": 0.92}, "better", "B (digits-f16) is better than A (digits) by "),
            ({"count": 200}, "more_data", "Not enough data: needs about "),
            ({"count": 5000, "accuracy_a": 0.981, "accuracy_b": 0.968, "seed": 3}, "worse", "B (digits-f16) is worse"),
            ({"count": 500, "labelled": False, "shadow": 0.5}, "unlabelled", "Without labels only agreement is known"),
            ({"count": 500, "labelled": False}, "unlabelled", "Without labels or a shadow sample nothing tells B"),
            ({"count": 500, "fallbacks": 1.0}, "no_answer", "No verdict: B (digits-f16) answered none of its 1"),
        ],
        ids=lambda value: None if isinstance(value, dict) else value[:12],
    )  # fmt: skip
    def test_each_kind(self, given, kind, says):
        verdict = report(rows(**given))["verdict"]
        assert verdict["kind"] == kind, verdict["text"]
        assert verdict["text"].startswith(says) and verdict["text"].endswith(".")
        assert "\n" not in verdict["text"] and len(verdict["text"]) < 400
        assert (verdict["more_images"] is not None) == (kind == "more_data")

    def test_the_whole_sentence(self):
        text = report(rows(8000))["verdict"]["text"]
        assert text == (
            "B (digits-f16) is as accurate as A (digits) within 1.0 points (95%), and B answers in 0.60 of A's time."
        )

    def test_how_many_more(self):
        made = report(rows(200))
        labelled = sum(arm["accuracy"]["of"] for arm in made["arms"].values())
        hits = sum(arm["accuracy"]["hits"] for arm in made["arms"].values())
        seen_b = made["arms"]["B"]["accuracy"]["of"] / labelled
        needed = pictures_needed(hits / labelled, 0.02, seen_b, 0.05, 0.8)
        assert made["verdict"]["more_images"] == pytest.approx(needed - 200, rel=0.1)

    def test_with_so_many_more_there_is_a_verdict(self):
        more = report(rows(200))["verdict"]["more_images"]
        assert report(rows(200 + more))["verdict"]["kind"] != "more_data"

    def test_where_half_have_labels_twice_as_many_are_needed(self):
        given = [dataclasses.replace(row, expected=None) if n % 2 else row for n, row in enumerate(rows(800))]
        half = report(given)["verdict"]["more_images"]
        whole = report(row for row in given if row.expected)["verdict"]["more_images"]
        assert half == pytest.approx(2 * whole, rel=0.1)

    def test_fallbacks_of_b_are_in_the_verdict_and_failures_of_both_are_not(self):
        text = report(rows(8000, fallbacks=0.1))["verdict"]["text"]
        assert "while B's own model leaves " in text and "A's 0.0%" in text
        assert "leaves" not in report(rows(8000, broken=0.02))["verdict"]["text"]

    def test_fallbacks_in_whole_groups_do_not_count_against_the_model(self):
        given = [
            dataclasses.replace(row, because="States.Timeout" if row.fallback else None)
            for row in rows(8000, fallbacks=0.1)
        ]
        made = report(given)
        assert made["arms"]["B"]["fallbacks"] > 100 and made["reliability"]["p"] == 1
        assert "leaves" not in made["verdict"]["text"]

    def test_labels_that_no_model_answers(self):
        made = report([dataclasses.replace(row, expected=f"n0{row.expected}") for row in rows(400)])
        assert made["verdict"]["kind"] == "foreign_labels" and made["verdict"]["more_images"] is None
        says = "None of the expected labels was ever answered: are they the model's labels? "
        assert made["verdict"]["text"].startswith(says)

    def test_enough_images_and_yet_no_verdict(self):
        given = [row for arm, right in (("A", 1470), ("B", 1455)) for row in self.of_which(arm, 1500, right)]
        verdict = report(given, weight=0.5)["verdict"]
        assert (verdict["kind"], verdict["more_images"]) == ("undecided", None)
        assert verdict["text"].startswith("No difference of accuracy is shown (p = 0.0")
        assert "yet none is ruled out: B (digits-f16) lies between -2." in verdict["text"]

    @staticmethod
    def of_which(arm: str, count: int, right: int) -> list[Row]:
        rows = in_arm(arm, count, label="7", expected="7")
        return rows[:right] + [dataclasses.replace(row, label="1") for row in rows[right:]]

    def test_a_split_that_is_off_is_in_the_verdict(self):
        text = report(rows(8000), weight=0.4)["verdict"]["text"]
        assert text.endswith("but the split is further off than chance explains (p < 0.0001).")

    def test_a_sure_difference_below_the_margin_is_called_small(self):
        text = report(rows(60_000, 0.99, 0.98))["verdict"]["text"]
        assert "is worse" in text and "less than the margin of 2 points" in text


def test_a_report_is_plain_json_and_no_nan():
    made = report(rows(300, broken=0.1, fallbacks=0.1, shadow=0.5))
    assert json.loads(json.dumps(made, allow_nan=False)) == made
