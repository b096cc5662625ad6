"""`make prove` whole, against this machine's AWS, with small numbers. No time is asserted: none here is Lambda's."""

import json

import pytest

from benchmarks.batch import proof
from benchmarks.prove.__main__ import main
from tests.support.local_cloud import skipped_without_an_index

SMALL = ["--pictures", "7", "--workflow-pictures", "6", "--warm", "3", "--burst", "2", "--minutes", "4"]
NOT_HERE = {"recursion of the lister", "refusals"}
"""What localaws does not have, or not always: the setting, and S3's comparison of owners."""


@pytest.fixture(scope="module")
def deployed(cloud):
    with skipped_without_an_index():
        return proof.deploy(cloud, lambda _: None)


def test_a_stage_answers_every_question(cloud, deployed, monkeypatch, tmp_path, capsys):
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    code = main(["--stage", "dev", "--url", deployed.url, "--yes", "--out", str(tmp_path), *SMALL])
    text = (tmp_path / "report.txt").read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    answers = report["answers"]
    assert {name for name, answer in answers.items() if not answer.get("holds")} <= NOT_HERE, text
    assert code == (1 if any(not answer.get("holds") for answer in answers.values()) else 0)
    said = capsys.readouterr().out
    assert said.startswith("stage dev in us-east-1: 7 requests, a batch of 7 pictures, a workflow of 6. About $")
    assert f"to send us: {tmp_path}/report.json and {tmp_path}/report.txt" in said
    assert answers["processor and XNNPACK"]["xnnpack_partitions"] >= 1
    assert answers["mapping"]["mappings"][0]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert answers["schedule of the days"] == {"State": "ENABLED", "ScheduleExpression": "rate(1 hour)", "holds": True}
    assert (answers["a batch of 7"]["rows"], answers["a batch of 7"]["dead_letters"]) == (7, 0)
    assert answers["a workflow of 6"]["counts"]["answered"] == 6
    assert list(answers["refusals"]["statuses"].values())[:3] == [403, 403, 403]
    assert sum(answers["cold and warm"]["statuses"].values()) == 7
    assert answers["bytes of logs"]["bytes_a_request"] > 500
    assert "123456789012" not in text + json.dumps(report) + said, "the account is nobody's business"
    left = cloud.client("s3").list_objects_v2(Bucket="slimception-dev-123456789012-us-east-1", Prefix="prove/")
    assert left["KeyCount"] == 0
