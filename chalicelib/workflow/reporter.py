"""*report*: the rows of an execution to `report.json` and `report.html`."""

import json
import platform
from collections.abc import Mapping
from typing import Any

from chalicelib.aws.s3 import Objects
from chalicelib.config import Settings
from chalicelib.telemetry import log
from chalicelib.workflow.rows import LOST, read_all_rows
from chalicelib.workflow.run import Run

MEMORY_MB = 1769
"""What .chalice/config.json gives the functions; outside Lambda no other is known."""


class NothingAnswered(Exception):
    """Not one picture of an execution was answered: it fails, so that the alarm tells somebody."""


class Reporter:
    """Answers the state Report."""

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self._objects, self._memory_mb = objects, settings.memory_mb or MEMORY_MB

    def report(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write both files and tell where they lie; twice is harmless.

        `event["state"]` is what *plan* returned, and as `failure`, `{"Error", "Cause"}`, why the Map over the groups
        ended early. Raises what `aws.translated` raises, and NothingAnswered, with both files written.
        """
        from chalicelib.workflow.report import build, html

        state = event["state"]
        run, listing, failure = Run.from_dict(state["run"]), state["listing"], state.get("failure")
        rows = read_all_rows(self._objects, run, listing["groups"], failure or LOST)
        content = build.build(rows, run.split, self._memory_mb, platform.machine())
        page = html.page(content).encode()
        self._objects.write(run.bucket, run.page_key, [page], "text/html; charset=utf-8")
        text = json.dumps(content, indent=2) + "\n"
        self._objects.write(run.bucket, run.report_key, [text.encode()], "application/json")
        told = {"images": listing["images"], "counts": content["counts"]}
        log("reported", prefix=run.prefix, **told, failure=failure)
        where = f"s3://{run.bucket}/"
        if not content["counts"]["answered"]:
            reason = f" (the Map over its groups failed: {failure['Error']})" if failure else ""
            raise NothingAnswered(f"none of {listing['images']} pictures was answered{reason}: {where}{run.page_key}")
        return {**told, "report": where + run.report_key, "page": where + run.page_key}
