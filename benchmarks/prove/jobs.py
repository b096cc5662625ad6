"""A batch and a workflow, whole: every picture has to be counted once. Both delete the pictures that they uploaded."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from benchmarks.prove.requests import PICTURE
from benchmarks.prove.stage import Stage

LOOK_EVERY_S = 2.0
UPLOADS_AT_ONCE = 16


def batch(stage: Stage, count: int, limit_s: float, run: str) -> dict[str, Any]:
    """A batch of `count` pictures by `POST /batches`, to its files. `run` makes the keys new."""
    with _uploaded(stage, f"prove/{run}/batch/", count) as source:
        began = time.monotonic()
        status, body = stage.api.ask("batches", {"source": source})
        if status != 202:
            return {"status": status, "answer": body, "holds": False}
        ended = _wait(
            lambda: stage.api.ask(f"batches/{body['id']}").body,
            lambda now: now.get("state") in ("complete", "failed"),
            limit_s,
        )
    wall_s = round(time.monotonic() - began, 1)
    found = {name: ended.get(name) for name in ("state", "total", "done", "failed", "error")}
    rows = _lines(stage, ended["results"]) if ended.get("results") else []
    summary = _read(stage, ended["summary"]) if ended.get("summary") else {}
    different = len({row["key"] for row in rows})
    return {
        **found,
        "wall_s": wall_s,
        "rows": len(rows),
        "different_keys": different,
        "latency_ms": summary.get("latency_ms"),
        "cost": summary.get("cost"),
        "dead_letters": _dead_letters(stage),
        "holds": len(rows) == different == count and found["state"] == "complete" and not found["failed"],
    }


def workflow(stage: Stage, count: int, limit_s: float, run: str) -> dict[str, Any]:
    """An execution over `count` pictures, with the first two installed models (or one model twice), to its report."""
    states = stage.client("stepfunctions")
    arn = f"arn:aws:states:{stage.region}:{stage.account}:stateMachine:{stage.prefix}-workflow"
    cards = stage.api.ask("models", signed=False).body["models"]
    names = [card["name"] for card in cards if "error" not in card]
    with _uploaded(stage, f"prove/{run}/workflow/", count) as source:
        given = {"experiment": f"prove-{run}", "models": [names[0], names[-1]], "source": source, "shadow": 0}
        began = time.monotonic()
        started = states.start_execution(stateMachineArn=arn, name=f"prove-{run}", input=json.dumps(given))
        ended = _wait(
            lambda: states.describe_execution(executionArn=started["executionArn"]),
            lambda now: now["status"] != "RUNNING",
            limit_s,
        )
    found = {"models": given["models"], "status": ended["status"], "wall_s": round(time.monotonic() - began, 1)}
    if ended["status"] != "SUCCEEDED":
        return {**found, "cause": ended.get("cause"), "holds": False}
    counts = json.loads(ended["output"])["counts"]
    return {**found, "counts": counts, "holds": counts["images"] == counts["answered"] == count}


@contextmanager
def _uploaded(stage: Stage, prefix: str, count: int) -> Iterator[str]:
    """The S3 URL of `count` pictures, which are deleted afterwards."""
    s3 = stage.client("s3")
    owned = {"Bucket": stage.bucket, "ExpectedBucketOwner": stage.account}
    keys = [f"{prefix}{number:05}.png" for number in range(count)]
    try:
        with ThreadPoolExecutor(UPLOADS_AT_ONCE) as uploads:
            list(uploads.map(lambda key: s3.put_object(**owned, Key=key, Body=PICTURE), keys))
        yield f"s3://{stage.bucket}/{prefix}"
    finally:
        for start in range(0, count, 1000):
            s3.delete_objects(**owned, Delete={"Objects": [{"Key": key} for key in keys[start : start + 1000]]})


def _wait(
    look: Callable[[], dict[str, Any]], ended: Callable[[dict[str, Any]], bool], limit_s: float
) -> dict[str, Any]:
    """What the last look showed; after `limit_s` it is one that has not ended."""
    deadline = time.monotonic() + limit_s
    while not ended(found := look()) and time.monotonic() < deadline:
        time.sleep(LOOK_EVERY_S)
    return found


def _lines(stage: Stage, url: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _bytes(stage, url).splitlines()]


def _read(stage: Stage, url: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_bytes(stage, url))
    return found


def _bytes(stage: Stage, url: str) -> bytes:
    key = url.removeprefix(f"s3://{stage.bucket}/")  # with BATCHES=open there is no bucket in it
    body = stage.client("s3").get_object(Bucket=stage.bucket, Key=key, ExpectedBucketOwner=stage.account)["Body"]
    return bytes(body.read())


def _dead_letters(stage: Stage) -> int:
    sqs = stage.client("sqs")
    url = sqs.get_queue_url(QueueName=f"{stage.prefix}-dead-letters")["QueueUrl"]
    name = "ApproximateNumberOfMessages"
    return int(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])["Attributes"][name])
