"""The event source mappings: one definition for both ways of deploying, and what is done about older ones."""
# ruff: noqa: N803 - boto3's arguments

from types import SimpleNamespace
from typing import Any

import pytest

from chalicelib.batch.cost import PICTURES_AT_ONCE
from layers.deploy import mappings
from layers.deploy.cloudformation import without
from layers.deploy.mappings import MAPPING, delete_others, mappings_template
from layers.deploy.resources import RESOURCES, read_resources
from layers.errors import PackageError
from tests.support.paths import ROOT
from tests.support.templates import errors_in


@pytest.fixture(scope="module")
def template() -> Any:
    return mappings_template(ROOT / RESOURCES, "slimception", "prod")


def properties(template: Any) -> dict[str, Any]:
    found = {one["Properties"]["FunctionName"]: one["Properties"] for one in template["Resources"].values()}
    assert len(found) == len(template["Resources"])
    return found


def test_no_mapping_is_ever_without_partial_responses(template: Any) -> None:
    """Without them Lambda deletes the messages that a worker hands back. Chalice has no mapping to make first."""
    assert all(one["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for one in properties(template).values())
    assert "on_sqs_message" not in (ROOT / "app.py").read_text(encoding="utf-8")


def test_both_queues_feed_their_functions_and_only_so_many_at_once(template: Any) -> None:
    worker, lister = (properties(template)[f"slimception-prod-{name}"] for name in ("worker", "lister"))
    arn = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:slimception-prod-"
    assert [one["EventSourceArn"] for one in (worker, lister)] == [
        {"Fn::Sub": f"{arn}pictures"},
        {"Fn::Sub": f"{arn}listings"},
    ]
    assert worker["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "MaximumConcurrency"}}
    assert template["Parameters"]["MaximumConcurrency"]["Default"] == 10
    assert lister["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert (worker["BatchSize"], lister["BatchSize"]) == (PICTURES_AT_ONCE, 1)


def test_the_package_has_the_same_definition_over_its_own_functions_and_queues() -> None:
    packaged = {n: one for n, one in resources().items() if one.get("Type") == MAPPING and "Trigger" not in n}
    assert {name: one["Properties"]["FunctionName"] for name, one in packaged.items()} == {
        "WorkerWorkerSqsEventSource": {"Ref": "Worker"},
        "ListerListerSqsEventSource": {"Ref": "Lister"},
    }, "the names that SAM gave: others would make a second mapping before the first is deleted"


def resources() -> dict[str, Any]:
    found: dict[str, Any] = read_resources(ROOT / RESOURCES)["Resources"]
    return found


def test_it_is_a_template(template: Any) -> None:
    assert errors_in(template) == []
    assert without(template, set()) == template


class Lambda:
    """Mappings that change in the states that Lambda documents; `looks` later a deleted one is gone."""

    class ResourceInUseException(Exception):
        pass

    class ResourceNotFoundException(Exception):
        pass

    def __init__(self, looks: int = 2, **states: str) -> None:
        self.exceptions = SimpleNamespace(
            ResourceInUseException=self.ResourceInUseException,
            ResourceNotFoundException=self.ResourceNotFoundException,
        )
        self.states, self.left = states, dict.fromkeys(states, looks)
        self.refused = 0

    def get_function_configuration(self, FunctionName: str) -> Any:
        if FunctionName == "absent":
            raise self.ResourceNotFoundException
        return {"FunctionArn": f"arn:{FunctionName}"}

    def list_event_source_mappings(self, FunctionName: str) -> Any:
        found = [{"UUID": uuid, "State": state, "EventSourceArn": "queue"} for uuid, state in self.states.items()]
        for uuid, state in list(self.states.items()):
            self.left[uuid] -= state != "Enabled"
            if self.left[uuid] < 0:
                self.states[uuid] = "Enabled" if state == "Updating" else "gone"
        self.states = {uuid: state for uuid, state in self.states.items() if state != "gone"}
        return {"EventSourceMappings": found}

    def delete_event_source_mapping(self, UUID: str) -> None:
        if self.states.get(UUID) == "Updating":
            self.refused += 1
            raise self.ResourceInUseException
        if UUID not in self.states:
            raise self.ResourceNotFoundException
        self.states[UUID], self.left[UUID] = "Deleting", 1


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mappings, "LOOK_EVERY_S", 0)


class TestMappingsOfEarlierReleases:
    def test_they_are_deleted_and_waited_for(self) -> None:
        client = Lambda(old="Enabled", own="Enabled")
        assert len(list(delete_others(client, "worker", {"own"}))) == 1
        assert client.states == {"own": "Enabled"}

    def test_one_that_chalice_is_just_deleting_is_waited_for(self) -> None:
        client = Lambda(old="Deleting")
        list(delete_others(client, "worker", set()))
        assert client.states == {}

    def test_one_that_is_just_changed_is_refused_and_deleted_later(self) -> None:
        client = Lambda(old="Updating")
        list(delete_others(client, "worker", set()))
        assert client.refused > 0 and client.states == {}

    def test_waiting_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mappings, "_LOOKS", 3)
        with pytest.raises(PackageError, match="still there: run the same command again"):
            list(delete_others(Lambda(looks=9, old="Deleting"), "worker", set()))

    def test_a_function_that_is_not_there(self) -> None:
        with pytest.raises(PackageError, match="there is no function absent: deploy it first"):
            list(delete_others(Lambda(), "absent", set()))
