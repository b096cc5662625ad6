"""What the state machine's transitions cost, compared to the inference that they start, from the definition itself.

Prices in US dollars, us-east-1. Source: AWS Step Functions pricing, read in 2026: a standard execution pays for each
state that it enters; an express one pays for its start, and for its duration by memory, in steps of 100 ms and 64 MB.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import pricing
from chalicelib.workflow.experiment import GROUP
from chalicelib.workflow.plan import FEW_GROUPS
from chalicelib.workflow.reporter import MEMORY_MB
from layers.deploy.definition import read_definition

USD_PER_TRANSITION = 25 / 1_000_000
USD_PER_EXPRESS_REQUEST = 1 / 1_000_000
USD_PER_EXPRESS_GB_SECOND = 0.00001667
EXPRESS_MEMORY_GB = 64 / 1024
EXPRESS_STEP_MS = 100
DEFINITION = Path(__file__).parent.parent.parent / ".chalice" / "workflow.asl.json"


@dataclass(frozen=True)
class Cost:
    """The cost of one execution in which nothing fails, in US dollars."""

    transitions: int
    """Paid ones. The start of an express execution counts as one, though the price list does not say so."""
    children: int
    """Express executions."""
    step_functions_usd: float
    inference_usd: float
    """Lambda's price of the invocations of *classify*, for the models' time only, without S3."""


def estimate(pictures: int, picture_ms: float, group: int = GROUP, architecture: str = "x86_64") -> Cost:
    """The cost for `pictures` that take `picture_ms` each, in groups of `group`."""
    groups = math.ceil(pictures / group)
    group_ms = min(group, pictures) * picture_ms
    inference_usd = groups * pricing.cost_usd(group_ms, MEMORY_MB, architecture)
    states = read_definition(DEFINITION)["States"]
    others = len(set(states) - {"Few", "Many"}) + 1  # each other state once, and one of the two Maps
    if groups <= FEW_GROUPS:
        transitions = others + groups
        return Cost(transitions, 0, transitions * USD_PER_TRANSITION, inference_usd)
    children = math.ceil(groups / states["Many"]["ItemBatcher"]["MaxItemsPerBatch"])
    transitions = others + children
    step_functions_usd = transitions * USD_PER_TRANSITION + children * _express_usd(states["Many"], group_ms)
    return Cost(transitions, children, step_functions_usd, inference_usd)


def _express_usd(many: dict[str, Any], group_ms: float) -> float:
    """The price of an express execution with all its groups, in as many rounds as its concurrency needs."""
    at_once: int = many["ItemProcessor"]["States"]["Batch"]["MaxConcurrency"]
    rounds = math.ceil(many["ItemBatcher"]["MaxItemsPerBatch"] / at_once)
    billed_s: float = math.ceil(rounds * group_ms / EXPRESS_STEP_MS) * EXPRESS_STEP_MS / 1000
    return USD_PER_EXPRESS_REQUEST + billed_s * EXPRESS_MEMORY_GB * USD_PER_EXPRESS_GB_SECOND
