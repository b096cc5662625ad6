"""What .chalice/resources.json watches: every metric that it names exists."""

import json
import re
from typing import Any

import pytest

from chalicelib.api.metrics import OF_WARNINGS
from chalicelib.inference.classifier import WITHOUT_DELEGATE
from layers.deploy.resources import read_resources
from layers.errors import PackageError
from tests.support.paths import ROOT

RESOURCES = read_resources(ROOT / ".chalice" / "resources.json")["Resources"]
OWN = re.compile(
    r'SEARCH\(\'\{"Slimception/\$\{APIHandler\}",([\w,]+)\} MetricName="(\w+)"\', \'(Sum|p50|p95)\', \d+\)'
)
WRITTEN = set(re.findall(r'"Name": "(\w+)"', (ROOT / "tests" / "whole" / "golden" / "log_lines.json").read_text()))
"""The metrics in the log lines of every kind of request."""
DIMENSIONS = {"Errors": "Code", "CostUSD": "Customer"}
"""All other metrics stand under route and model."""


def dashboard() -> dict[str, Any]:
    body: dict[str, Any] = json.loads(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"])
    return body


class TestDashboard:
    def test_it_searches_for_metrics_that_the_app_writes(self) -> None:
        named = [OWN.fullmatch(one["expression"]) for one in expressions()]
        assert len(named) == 8
        for match in named:
            assert match
            dimensions, metric, _ = match.groups()
            assert metric in WRITTEN
            assert dimensions == DIMENSIONS.get(metric, "Route,Model")

    def test_it_shows_the_metric_of_every_warning(self) -> None:
        lines = [line for widget in dashboard()["widgets"] for line in widget["properties"]["metrics"]]
        own = [line for line in lines if line[0] == "Slimception/${APIHandler}"]
        assert {line[1] for line in own} == set(OF_WARNINGS.values())
        assert all(isinstance(line[2], dict) for line in own), "these metrics have no dimension"

    def test_it_names_resources_that_there_are(self) -> None:
        names = set(re.findall(r"\$\{(\w+)", json.dumps(dashboard())))
        assert names - {"AWS"} <= set(RESOURCES)
        queues = {r["Properties"]["QueueName"] for r in RESOURCES.values() if r.get("Type") == "AWS::SQS::Queue"}
        assert set(re.findall(r'"QueueName", "([^"]+)"', json.dumps(dashboard()))) <= queues

    def test_widgets_do_not_overlap(self) -> None:
        places = [
            (x, y)
            for w in dashboard()["widgets"]
            for x in range(w["x"], w["x"] + w["width"])
            for y in range(w["y"], w["y"] + w["height"])
        ]
        assert len(places) == len(set(places))
        assert max(x for x, _ in places) < 24


def expressions() -> list[dict[str, Any]]:
    lines = [line for widget in dashboard()["widgets"] for line in widget["properties"]["metrics"]]
    return [line[0] for line in lines if isinstance(line[0], dict)]


def test_alarms_on_the_apps_own_metrics_name_what_it_writes() -> None:
    own = [
        alarm["Properties"]
        for alarm in RESOURCES.values()
        if alarm.get("Type") == "AWS::CloudWatch::Alarm" and isinstance(alarm["Properties"].get("Namespace"), dict)
    ]
    codes = {alarm["Dimensions"][0]["Value"] for alarm in own if alarm["MetricName"] == "Errors"}
    assert codes == {"InternalServerError", "ServiceUnavailableError"}
    (other,) = [alarm for alarm in own if alarm["MetricName"] != "Errors"]
    assert other["MetricName"] == OF_WARNINGS[WITHOUT_DELEGATE] and "Dimensions" not in other


def test_no_name_is_given_twice() -> None:
    """JSON's readers would take the last one in silence."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
        return dict(pairs)

    for path in sorted((ROOT / ".chalice").glob("*.json")):
        json.loads(path.read_text(), object_pairs_hook=unique)


def test_a_file_that_is_not_there_is_named(tmp_path: Any) -> None:
    (tmp_path / "resources.json").write_text('{"Resources": {"A": [{"InlineFile": "absent.json"}]}}')
    with pytest.raises(PackageError, match=r"absent\.json cannot be read"):
        read_resources(tmp_path / "resources.json")
