"""The transitions cost less than the inference: the arithmetic that docs/workflow.md shows, from the definition."""

import pytest

from benchmarks.workflow.cost import USD_PER_TRANSITION, Cost, estimate
from chalicelib import pricing

DIGITS_MS, DIGITS_INFERENCE_MS, INCEPTION_MS = 0.79, 0.36, 132.1
"""Measured: a digit decoded, prepared and classified; its inference alone; Inception v3's inference alone, on AVX2."""


def alone(picture_ms: float) -> float:
    """US dollars for the time of a picture, without the fee for a request."""
    return pricing.cost_usd(picture_ms * 1000, 1769, "x86_64") / 1000


@pytest.mark.parametrize("picture_ms", [DIGITS_INFERENCE_MS, DIGITS_MS, INCEPTION_MS])
@pytest.mark.parametrize("pictures", [100_000, 1_000_000])
def test_many_pictures(pictures, picture_ms):
    cost = estimate(pictures, picture_ms)
    assert cost.step_functions_usd < cost.inference_usd


@pytest.mark.parametrize(("picture_ms", "pictures"), [(INCEPTION_MS, 33), (INCEPTION_MS, 2_000), (DIGITS_MS, 7_000)])
def test_from_so_many_on(picture_ms, pictures):
    cost = estimate(pictures, picture_ms)
    assert cost.step_functions_usd < cost.inference_usd


def test_the_transitions_of_an_execution_cost_less_than_a_thousandth_of_a_dollar():
    for pictures in (1, 200, 1_000, 4_000):
        assert estimate(pictures, DIGITS_MS).step_functions_usd < 0.001


def test_a_transition_for_each_picture_would_cost_many_times_the_inference():
    assert 6 * alone(INCEPTION_MS) < USD_PER_TRANSITION
    assert 1000 * alone(DIGITS_MS) < USD_PER_TRANSITION


@pytest.mark.parametrize(
    ("pictures", "transitions", "children"), [(1, 5, 0), (1_000, 9, 0), (1_001, 5, 1), (100_000, 29, 25)]
)
def test_what_is_counted(pictures, transitions, children):
    cost = estimate(pictures, DIGITS_MS)
    assert isinstance(cost, Cost) and (cost.transitions, cost.children) == (transitions, children)
