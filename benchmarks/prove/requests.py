"""What single requests show: the processor, XNNPACK, cold and warm times, throttles, who is refused."""

import base64
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.api_client import ApiAnswer
from benchmarks.prove.stage import Stage
from chalicelib.api.contract import EXAMPLE_IMAGE

PICTURE = base64.b64decode(EXAMPLE_IMAGE)


def processor(stage: Stage) -> dict[str, Any]:
    """What `/health` says of processor, engine and delegate, and of this process's cold start."""
    status, body = stage.api.ask("health")
    delegate = body.get("delegate") or {}
    return {
        "status": status,
        "model": body.get("model", {}).get("name"),
        "quantization": body.get("model", {}).get("quantization"),
        **{name: body.get("runtime", {}).get(name) for name in ("architecture", "features", "engine", "threads")},
        "memory_mb": body.get("runtime", {}).get("memory_mb"),
        "xnnpack_partitions": delegate.get("partitions"),
        "operators_outside_xnnpack": delegate.get("outside"),
        "warnings": body.get("warnings"),
        "cold_start": body.get("cold_start"),
        "holds": status == 200 and bool(delegate.get("partitions")),
    }


def times(stage: Stage, warm: int, burst: int) -> dict[str, Any]:
    """Cold and warm answers: a burst, which starts instances; requests one after another; the burst again.

    Milliseconds as this machine sees them (network and TLS included), and as the function measures them.
    """
    first = _at_once(stage, burst)
    in_turn = [_timed(stage) for _ in range(warm)]
    second = _at_once(stage, burst)
    answered = [one for one in (*first, *in_turn, *second) if one[1].status == 200]
    cold = [one for one in answered if one[1].body.get("cold_start")]
    warmed = [one for one in in_turn if one[1].status == 200 and not one[1].body.get("cold_start")]
    return {
        "statuses": dict(Counter(str(answer.status) for _, answer in (*first, *in_turn, *second))),
        "cold": _quantiles(cold),
        "warm": _quantiles(warmed),
        "holds": bool(warmed),
    }


def throttles(stage: Stage, since: float) -> dict[str, Any]:
    """CloudWatch's sums since `since` (seconds since the epoch), which may lag by some minutes."""
    cloudwatch = stage.client("cloudwatch")
    sums: dict[str, float] = {}
    for kind, name in stage.functions.items():
        for metric in ("Invocations", "Throttles", "Errors"):
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/Lambda",
                MetricName=metric,
                Dimensions=[{"Name": "FunctionName", "Value": name}],
                StartTime=since - 60,
                EndTime=time.time() + 60,
                Period=3600,
                Statistics=["Sum"],
            )["Datapoints"]
            sums[f"{kind} {metric}"] = sum(point["Sum"] for point in points)
    return {"sums": sums, "holds": True}


def refusals(stage: Stage) -> dict[str, Any]:
    """What a stranger gets: an unsigned call, a foreign bucket as output, and S3 for a bucket of another owner."""
    source = f"s3://{stage.bucket}/prove/none/"
    stranger = f"s3://{stage.prefix}-evil/results/"
    found = {
        "POST /batches unsigned": stage.api.ask("batches", {"source": source}, signed=False).status,
        "GET /batches/{id} unsigned": stage.api.ask("batches/incoming-2026-01-31", signed=False).status,
        "POST /batches with a stranger's bucket": stage.api.ask(
            "batches", {"source": source, "output": stranger}
        ).status,
        "S3 with another owner expected": _head(stage, "000000000000"),
    }
    return {"statuses": found, "holds": set(found.values()) == {403}}


def _head(stage: Stage, owner: str) -> int:
    s3 = stage.client("s3")
    try:
        answer = s3.head_bucket(Bucket=stage.bucket, ExpectedBucketOwner=owner)
    except s3.exceptions.ClientError as error:
        answer = error.response
    return int(answer["ResponseMetadata"]["HTTPStatusCode"])


def _timed(stage: Stage) -> tuple[float, ApiAnswer]:
    began = time.perf_counter()
    answer = stage.api.send_picture(PICTURE, "image/png")
    return (time.perf_counter() - began) * 1000, answer


def _at_once(stage: Stage, count: int) -> list[tuple[float, ApiAnswer]]:
    with ThreadPoolExecutor(count) as senders:
        return list(senders.map(lambda _: _timed(stage), range(count)))


def _quantiles(answers: Sequence[tuple[float, ApiAnswer]]) -> dict[str, Any]:
    """Nearest rank."""
    series = {
        "round_trip_ms": [ms for ms, _ in answers],
        "in_function_ms": [answer.body["timing_ms"]["total"] for _, answer in answers],
        "inference_ms": [answer.body["timing_ms"]["inference"] for _, answer in answers],
    }
    return {"answers": len(answers), **{name: _spread(sorted(values)) for name, values in series.items() if values}}


def _spread(ordered: Sequence[float]) -> dict[str, float]:
    def rank(percent: int) -> float:
        return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 2)

    return {"p50": rank(50), "p95": rank(95), "max": round(ordered[-1], 2)}
