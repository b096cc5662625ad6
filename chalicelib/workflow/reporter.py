"""*report*: the rows of an execution to `report.json` and `report.html`."""

import json
import platform
from collections.abc import Mapping
from typing import Any

from chalicelib.aws.s3 import Objects
from chalicelib.config import MEMORY_MB_PER_VCPU, Settings
from chalicelib.telemetry import log
from chalicelib.workflow.files import RunFiles
from chalicelib.workflow.rows import LOST
from chalicelib.workflow.states import Failure, Plan

MEMORY_MB = MEMORY_MB_PER_VCPU
"""The memory of the functions in .chalice/config.json, by which costs are estimated outside Lambda."""


class NothingAnswered(Exception):
    """No picture of an execution was answered. The execution fails, so that its alarm goes off."""


class Reporter:
    """Answers the state Report."""

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self._objects, self._memory_mb = objects, settings.memory_mb or MEMORY_MB

    def report(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write both files and return their URLs and the counts. A retry writes them again.

        `event["state"]` is what *plan* returned and, if the Map over the groups ended early, its Failure as `failure`.
        Raises what `clients.translated` raises, and NothingAnswered after both files are written.
        """
        from chalicelib.workflow.report import build, html

        plan, failure = Plan.from_dict(event["state"]), event["state"].get("failure")
        files = RunFiles(self._objects, plan.run)
        rows = files.read_all_rows(plan.listing.groups, failure or LOST)
        report = build.build(rows, plan.run.split, self._memory_mb, platform.machine())
        urls = files.write_report(json.dumps(report, indent=2) + "\n", html.page(report))
        counted = {"images": plan.listing.pictures, "counts": report["counts"]}
        log("reported", prefix=plan.run.output_prefix, **counted, failure=failure)
        if not report["counts"]["answered"]:
            raise NothingAnswered(_nothing_answered(plan.listing.pictures, failure, urls.page))
        return {**counted, **urls._asdict()}


def _nothing_answered(pictures: int, failure: Failure | None, page: str) -> str:
    reason = f" (the Map over its groups failed: {failure['Error']})" if failure else ""
    return f"none of {pictures} pictures was answered{reason}: {page}"
