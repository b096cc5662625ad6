"""The JSON between the states, key by key: executions that began before a deployment end after it."""

import hashlib
import json

import pytest

from chalicelib.split import Split
from chalicelib.workflow.run import Run
from chalicelib.workflow.states import GroupTask, Listing, Plan

RUN = Run("pictures", "workflows/e/x/", Split("e", "a", "b", 0.3), 0.2)
RUN_JSON = {
    "bucket": "pictures", "prefix": "workflows/e/x/", "experiment": "e",
    "models": ["a", "b"], "weight": 0.3, "shadow": 0.2,
}  # fmt: skip
LISTING = Listing("pictures", "in/", None, 200, "in/x", 7, 1)
LISTING_JSON = {
    "bucket": "pictures", "prefix": "in/", "labels": None, "group": 200, "after": "in/x", "images": 7, "groups": 1,
}  # fmt: skip
MANIFEST = {"bucket": "pictures", "key": "workflows/e/x/groups.json", "results": "workflows/e/x/map"}


@pytest.mark.parametrize(
    ("plan", "places"),
    [
        (Plan(RUN, LISTING, "more"), {"next": "more"}),
        (Plan(RUN, LISTING, "few", few=[0]), {"next": "few", "few": [0]}),
        (Plan(RUN, LISTING, "many", manifest=MANIFEST), {"next": "many", "manifest": MANIFEST}),
    ],
)
def test_a_plan(plan, places):
    expected = {"run": RUN_JSON, "listing": LISTING_JSON, **places}
    assert json.dumps(plan.to_dict()) == json.dumps(expected)
    assert Plan.from_dict(json.loads(json.dumps(expected))) == plan
    assert Plan.from_dict({**expected, "failure": {"Error": "E"}}) == plan


@pytest.mark.parametrize(
    ("more", "mode"),
    [
        ({}, "arms"),
        ({"instead": True, "because": "Sandbox.Timedout"}, "first_only"),
        ({"instead": True}, "first_only"),
        ({"failure": {"Error": "E", "Cause": "C"}}, "record_failure"),
    ],
)
def test_a_group(more, mode):
    task = GroupTask.from_event({"run": RUN_JSON, "group": 4, **more})
    assert (task.run, task.group, task.mode) == (RUN, 4, mode)
    assert task.because == more.get("because", "SecondModelError")
    assert task.failure == more.get("failure")


def test_both_models_classify_the_same_10_000_keys_as_before():
    """The releases before `dealt` had a second split, of models without a name."""

    def shadowed_before(key: str) -> bool:
        digest = hashlib.sha256(f"e\0shadow\0{key}".encode()).digest()
        return int.from_bytes(digest[:8]) < 0.2 * 2**64

    keys = [f"in/{number}.png" for number in range(10_000)]
    assert [RUN.is_shadowed(key) for key in keys] == [shadowed_before(key) for key in keys]
    assert 1_800 < sum(map(RUN.is_shadowed, keys)) < 2_200
