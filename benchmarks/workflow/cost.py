"""What the state machine's transitions cost beside the inference that they bring about, from the definition itself.

Prices in US dollars, us-east-1. Source: AWS Step Functions pricing, read in 2026: a standard execution pays for each
state that it enters, an express one for its start and for its duration by memory, in steps of 100 ms and 64 MB.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chalicelib import pricing
from chalicelib.workflow.experiment import GROUP
from chalicelib.workflow.plan import FEW_GROUPS
from layers.deploy.definition import read_definition

USD_PER_TRANSITION = 25 / 1_000_000
USD_PER_EXPRESS_REQUEST = 1 / 1_000_000
USD_PER_EXPRESS_GB_SECOND = 0.00001667
EXPRESS_MEMORY_GB = 64 / 1024
EXPRESS_STEP_MS = 100
MEMORY_MB = 1769
DEFINITION = Path(__file__).parent.parent.parent / ".chalice" / "workflow.asl.json"


@dataclass(frozen=True)
class Cost:
    """Of one execution in which nothing fails, in US dollars."""

    transitions: int
    """Paid ones. Starting an express execution is counted as one, though the price list does not say that it is."""
    children: int
    """Express executions."""
    step_functions_usd: float
    inference_usd: float
    """Lambda's price of the invocations that classify, for the time on the model's account alone: no S3."""


def estimate(images: int, image_ms: float, group: int = GROUP, architecture: str = "x86_64") -> Cost:
    """The cost for `images` of which each takes `image_ms`, in groups of `group`."""
    groups = math.ceil(images / group)
    group_ms = min(group, images) * image_ms
    inference_usd = groups * pricing.cost_usd(group_ms, MEMORY_MB, architecture)
    states = read_definition(DEFINITION)["States"]
    besides = len(set(states) - {"Few", "Many"}) + 1  # each of the others once, and one of the two Maps
    if groups <= FEW_GROUPS:
        transitions = besides + groups
        return Cost(transitions, 0, transitions * USD_PER_TRANSITION, inference_usd)
    children = math.ceil(groups / states["Many"]["ItemBatcher"]["MaxItemsPerBatch"])
    transitions = besides + children
    step_functions_usd = transitions * USD_PER_TRANSITION + children * _express_usd(states["Many"], group_ms)
    return Cost(transitions, children, step_functions_usd, inference_usd)


def _express_usd(many: dict[str, Any], group_ms: float) -> float:
    """A full child: its groups in as many rounds as its concurrency makes."""
    at_once: int = many["ItemProcessor"]["States"]["Batch"]["MaxConcurrency"]
    rounds = math.ceil(many["ItemBatcher"]["MaxItemsPerBatch"] / at_once)
    billed_s: float = math.ceil(rounds * group_ms / EXPRESS_STEP_MS) * EXPRESS_STEP_MS / 1000
    return USD_PER_EXPRESS_REQUEST + billed_s * EXPRESS_MEMORY_GB * USD_PER_EXPRESS_GB_SECOND
