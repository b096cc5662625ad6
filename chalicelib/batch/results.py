"""The files of a complete batch: `results.jsonl`, one line for each key, and `summary.json`."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from chalicelib.aws.s3 import Objects, json_lines
from chalicelib.batch.cost import estimate
from chalicelib.batch.record import RESULTS, SUMMARY, Batch, Result
from chalicelib.batch.table import Table


class Summary:
    """Counts the results that pass through `watch`."""

    def __init__(self) -> None:
        self.labels: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._durations_ms: list[float] = []

    def watch(self, results: Iterable[Result]) -> Iterator[Result]:
        """Yield the same results and count each."""
        for result in results:
            if result.failed:
                self.errors[result.answer["error"]["Code"]] += 1
            else:
                self.labels[result.answer["predictions"][0]["label"]] += 1
            self._durations_ms.append(result.milliseconds)
            yield result

    def counts(self) -> dict[str, Any]:
        """Totals, and counts by best label and by error code, most frequent first."""
        failed = sum(self.errors.values())
        done = failed + sum(self.labels.values())
        return {
            "total": done,
            "failed": failed,
            "labels": dict(self.labels.most_common()),
            "errors": dict(self.errors.most_common()),
        }

    def latencies(self) -> dict[str, float]:
        """Quantiles (nearest rank), maximum and sum of `Result.milliseconds`."""
        ordered = sorted(self._durations_ms) or [0.0]
        quantiles = {f"p{q}": ordered[max(0, -(-len(ordered) * q // 100) - 1)] for q in (50, 95, 99)}
        return {**quantiles, "max": ordered[-1], "sum": round(sum(ordered), 1)}


def write_files(objects: Objects, table: Table, batch: Batch) -> None:
    """Write both files; raises what `clients.translated` raises. Memory grows by one number for each picture."""
    summary = Summary()
    rows = (result.row() for result in summary.watch(table.results(batch.id)))
    objects.write(batch.output_bucket, batch.output(RESULTS), json_lines(rows), "application/x-ndjson")
    text = json.dumps(describe(batch, summary), indent=2) + "\n"
    objects.write(batch.output_bucket, batch.output(SUMMARY), [text.encode()], "application/json")


def describe(batch: Batch, summary: Summary) -> dict[str, Any]:
    """The content of summary.json."""
    counts, latencies = summary.counts(), summary.latencies()
    wall_s = round(max((batch.updated or batch.created) - batch.created, 0.001), 3)
    return {
        "id": batch.id,
        "source": f"s3://{batch.bucket}/{batch.prefix}",
        **counts,
        "wall_s": wall_s,
        "rate_per_s": round(counts["total"] / wall_s, 2),
        "latency_ms": latencies,
        "cost": estimate(counts["total"], latencies["sum"]),
    }
