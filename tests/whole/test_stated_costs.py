"""What docs/deploy.md and docs/costs.md state of costs follows from list prices and from what is logged and made."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.config import EMBEDDED_MODELS
from chalicelib.pricing import RESTORE_USD_PER_GB, compute_usd
from layers.deploy.resources import read_resources
from tests.support.pages import DOCS, section, text_of
from tests.support.paths import ROOT, SEVEN

SNAPSHOT_USD_PER_GB_SECOND = 0.0000015046
"""SnapStart for Python, us-east-1. Source: AWS Lambda pricing."""
LOG_USD_PER_GB = 0.50
"""CloudWatch Logs, standard class, ingestion, us-east-1. Source: Amazon CloudWatch pricing."""
EVENT_BYTES = 26
"""What each event counts besides its text. Source: CloudWatch Logs API reference, PutLogEvents."""
REQUEST_ID = "6f747a00-3a52-4f0f-b6a3-1c1d8b3b3a52"
LAMBDAS_LINES = (
    f"START RequestId: {REQUEST_ID} Version: $LATEST\n",
    f"END RequestId: {REQUEST_ID}\n",
    f"REPORT RequestId: {REQUEST_ID}\tDuration: 16.70 ms\tBilled Duration: 17 ms\tMemory Size: 2654 MB\t"
    "Max Memory Used: 186 MB\t\n",
)
"""Source: AWS Lambda developer guide, "Viewing CloudWatch logs for Lambda functions"."""
METRIC_USD = 0.30
"""A custom metric, a month, first tier. Source: Amazon CloudWatch pricing."""
POLLERS, POLL_S, SQS_USD_PER_MILLION = 5, 20, 0.40
"""Of an event source mapping whose queue is empty: long polls at once, and how long each waits.
Sources: AWS Lambda developer guide, "Using Lambda with Amazon SQS"; Amazon SQS pricing."""
REST_API_USD_PER_MILLION = 3.50
HOURS_A_MONTH, INIT_S = 730, 0.2
COSTS = text_of(DOCS / "costs.md")
BY_FRONT = section(DOCS / "costs.md", "By front")
AT_WORST, MONTHLY = section(DOCS / "costs.md", "At worst"), section(DOCS / "costs.md", "By the month")
PARAMETERS: dict[str, Any] = read_resources(ROOT / ".chalice" / "resources.json")["Parameters"]
LOGS = section(DOCS / "deploy.md", "Logs")
SNAPSTART = section(DOCS / "deploy.md", "As one CloudFormation stack").partition("\n### SnapStart\n")[2]


def stated(pattern: str, page: str) -> list[float]:
    """The numbers that a sentence states, whose words `pattern` has."""
    found = re.search(pattern, re.sub(r"\s+", " ", page))
    assert found, pattern
    return [float(number.replace(",", "")) for number in found.groups()]


def test_snapstart() -> None:
    rows = re.findall(r"^\| ([\d,]+) MB \| \$([\d.]+) \| \$([\d.]+) \| \$([\d.]+) \|$", SNAPSTART, re.M)
    assert [row[0] for row in rows] == ["2,654", "1,769"]
    for size, a_month, a_restore, spared in rows:
        memory_mb = int(size.replace(",", ""))
        hour = memory_mb / 1024 * SNAPSHOT_USD_PER_GB_SECOND * 3600
        assert f"{hour * HOURS_A_MONTH:.2f}" == a_month
        assert f"{memory_mb / 1024 * RESTORE_USD_PER_GB:.6f}" == a_restore
        assert f"{compute_usd(INIT_S * 1000, memory_mb, 'x86_64'):.7f}" == spared
        if size == "2,654":
            assert stated(r"cost \$([\d.]+) a month more at 2,654 MB", SNAPSTART) == [float(a_month)]
    even = {machine: RESTORE_USD_PER_GB / compute_usd(1000, 1024, machine) for machine in ("x86_64", "arm64")}
    assert stated(r"costs (\d+) times what it spares", SNAPSTART) == [round(even["x86_64"] / INIT_S)]
    assert stated(r"from ([\d.]+) s of INIT on \(arm64: ([\d.]+) s", SNAPSTART) == [
        round(even[machine], 1) for machine in ("x86_64", "arm64")
    ]


def test_the_log_of_a_warm_request(
    serve: Callable[..., Client], log_lines: Callable[[], list[dict[str, Any]]], capsys: pytest.CaptureFixture[str]
) -> None:
    client = serve(EMBEDDED_MODELS, function_name="slimception-dev", memory_mb=2654)
    for _ in range(2):
        capsys.readouterr()
        client.http.post("/predict/image", headers={"Content-Type": "image/png"}, body=SEVEN.read_bytes())
    written = len(capsys.readouterr().out.encode())
    total, line, for_each = stated(
        r"leaves ([\d,]+) bytes: its line has ([\d,]+), and CloudWatch counts (\d+) more", LOGS
    )
    assert line == pytest.approx(written, rel=0.03)  # durations have more digits or fewer
    assert for_each == EVENT_BYTES and total == line + for_each
    assert stated(r"that is \$([\d.]+) for a million", LOGS) == [round(total * 1e6 / 1e9 * LOG_USD_PER_GB, 2)]
    (lambdas,) = stated(r"`REPORT` would add (\d+) bytes", LOGS)
    assert lambdas == sum(map(len, LAMBDAS_LINES)) + len(LAMBDAS_LINES) * EVENT_BYTES


def test_the_access_log_of_an_http_api() -> None:
    """A usual line; the HTTP API's own price is in `benchmarks.tune.prices`."""
    stage = json.loads((ROOT / ".chalice/fronts/http.json").read_text())["Resources"]["FrontStage"]["Properties"]
    line = stage["AccessLogSettings"]["Format"]
    for name, value in {
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "POST /predict/image",
        "status": "200",
        "responseLatency": "147",
        "integrationErrorMessage": "-",
    }.items():
        line = line.replace(f"$context.{name}", value)
    assert "$" not in line and json.loads(line)
    size, for_each = stated(r"log has (\d+) bytes, and CloudWatch counts (\d+) more", BY_FRONT)
    assert (size, for_each) == (len(line), EVENT_BYTES)
    a_million = (size + for_each) * 1e6 / 1e9 * LOG_USD_PER_GB
    assert f"| HTTP API (`FRONT=http`) | $1.00 | ${a_million:.2f} |" in BY_FRONT


def test_an_open_function_url_at_worst() -> None:
    front = section(DOCS / "deploy.md", "The front")
    rows = json.loads(text_of(DOCS / "tune.json"))["bundles"]["inception_v3"]["rows"]
    (warm_ms,) = [row["warm_ms"] for row in rows if (row["memory_mb"], row["threads"]) == (1769, 1)]
    (reserved,) = stated(r'"reserved_concurrency": (\d+)', front)
    pictures, usd = stated(r"answer some (\d+) pictures a second on AVX2, and cost at worst \$([\d.]+) a day", front)
    assert pictures == round(reserved * 1000 / warm_ms)
    assert usd == round(reserved * compute_usd(86_400_000, 1769, "x86_64"), 2)


def test_at_worst() -> None:
    """The throttle of the template for a day, at the sum of the table above."""
    (rate,) = stated(r"takes (\d+) requests a second", AT_WORST)
    assert rate == PARAMETERS["RequestsPerSecond"]["Default"]
    (a_day,) = stated(r"which are ([\d,]+) a day", AT_WORST)
    assert a_day == rate * 86_400
    usd, function, logs, gateway = stated(
        r"cost \$([\d.]+) on AVX2 \(\$([\d.]+) \+ \$([\d.]+) \+ \$([\d.]+) a million\)", AT_WORST
    )
    assert re.search(rf"^\| Lambda \| \$[\d.]+ to \$[\d.]+ \| \${function:.2f} \|$", COSTS, re.M)
    assert f"| ${logs:.2f} | ${logs:.2f} |" in COSTS
    assert gateway == REST_API_USD_PER_MILLION
    assert usd == round(a_day / 1e6 * (function + logs + gateway), 2)
    assert stated(r"At worst that is \$([\d.]+) a day", text_of(DOCS / "deploy.md")) == [usd]
    workers, batch_usd = stated(r"(\d+) workers at once: at 1,769 MB \$([\d.]+) a day", AT_WORST)
    assert workers == PARAMETERS["MaximumConcurrency"]["Default"]
    assert batch_usd == round(workers * compute_usd(86_400_000, 1769, "x86_64"), 2)


def test_by_the_month() -> None:
    template = read_resources(ROOT / ".chalice" / "resources.json")["Resources"].values()
    alarms = [resource["Properties"] for resource in template if resource.get("Type") == "AWS::CloudWatch::Alarm"]
    metrics = sum(len([m for m in alarm.get("Metrics", [{"MetricStat": {}}]) if "MetricStat" in m]) for alarm in alarms)
    assert stated(r"(\d+) alarms on (\d+) metrics \| ([\d.]+)", MONTHLY) == [
        len(alarms),
        metrics,
        pytest.approx(metrics * 0.10),
    ]
    polls, usd = stated(r"a million \| ([\d,]+) \| ([\d.]+) \|", MONTHLY)
    assert polls == 2 * POLLERS * HOURS_A_MONTH * 3600 / POLL_S
    assert usd == round(polls / 1e6 * SQS_USD_PER_MILLION, 2)


def test_the_hourly_look_for_days_that_are_over() -> None:
    rule = read_resources(ROOT / ".chalice" / "resources.json")["Resources"]["DaysRule"]["Properties"]
    assert rule["ScheduleExpression"] == "rate(1 hour)"
    seconds, times, usd = stated(r"of (\d+) s each \| (\d+) invocations \| ([\d.]+)", MONTHLY)
    memory_mb = json.loads((ROOT / ".chalice" / "config.json").read_text())["lambda_memory_size"]
    assert times == HOURS_A_MONTH
    assert usd == round(times * compute_usd(seconds * 1000, memory_mb, "x86_64"), 2)


def test_the_metrics_of_a_route(serve: Callable[..., Client], log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    client = serve(EMBEDDED_MODELS, function_name="slimception-dev", memory_mb=1769)
    for _ in range(2):
        client.http.post("/predict/image", headers={"Content-Type": "image/png"}, body=SEVEN.read_bytes())
    client.http.get("/models")
    *_, picture, models = log_lines()
    of_picture, of_models = (
        [len(directive["Metrics"]) for directive in line["_aws"]["CloudWatchMetrics"]] for line in (picture, models)
    )
    answers, usd = stated(r"(\d+) metrics and the cost of `others` \| ([\d.]+)", MONTHLY)
    assert of_picture == [answers, 1] and usd == pytest.approx(sum(of_picture) * METRIC_USD)
    assert stated(r"(\d+) for each pair of route and model that answers pictures, (\d+) for each other", MONTHLY) == [
        of_picture[0],
        of_models[0],
    ]
