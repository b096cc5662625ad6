"""What docs/deploy.md states of costs beside Lambda's own price follows from list prices and from what is logged."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.config import EMBEDDED_MODELS
from chalicelib.pricing import compute_usd
from tests.support.pages import DOCS, section
from tests.support.paths import SEVEN

SNAPSHOT_USD_PER_GB_SECOND, RESTORE_USD_PER_GB = 0.0000015046, 0.0001397998
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
HOURS_A_MONTH, INIT_S = 730, 0.2
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
            assert stated(r"up to \$([\d.]+) more at 2,654 MB", SNAPSTART) == [round(hour * 24 * 14, 2)]
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
    total, line, lambdas, for_each = stated(
        r"leaves ([\d,]+) bytes: its line has ([\d,]+), Lambda's .*? have (\d+), and CloudWatch counts (\d+)", LOGS
    )
    assert line == pytest.approx(written, rel=0.03)  # durations have more digits or fewer
    assert (lambdas, for_each) == (sum(map(len, LAMBDAS_LINES)), EVENT_BYTES)
    assert total == line + lambdas + 4 * for_each
    assert stated(r"that is \$([\d.]+) for a million", LOGS) == [round(total * 1e6 / 1e9 * LOG_USD_PER_GB, 2)]
