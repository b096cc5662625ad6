"""The files of a run in S3. Every name is decided by the run and the group: a retry writes the same file again."""

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from chalicelib.aws.s3 import Objects, json_lines
from chalicelib.errors import ObjectGone
from chalicelib.workflow.pictures import Picture
from chalicelib.workflow.report.row import Row
from chalicelib.workflow.rows import LOST, failed_rows
from chalicelib.workflow.run import Run
from chalicelib.workflow.states import Failure, Manifest

MAX_FILE_BYTES = 16 * 1024 * 1024
"""The largest file of a group that is read. 500 keys of 1,024 bytes, each written as six characters, are 3 MB."""
READERS = 16


class ReportUrls(NamedTuple):
    """Where the report is: `s3://bucket/key` of the JSON and of the page."""

    report: str
    page: str


class RunFiles:
    """Reads and writes the files of one run. Every method raises what `clients.translated` raises.

    Under `run.output_prefix`: `groups/000000.jsonl` and `rows/000000.jsonl` for each group, `groups.json` if there are
    many groups, `map...` (the Distributed Map's own), `report.json`, `report.html`.
    """

    def __init__(self, objects: Objects, run: Run) -> None:
        self._objects, self._run = objects, run

    def write_pictures(self, group: int, pictures: Iterable[Picture]) -> None:
        """Write the pictures of a group."""
        rows = ({name: value for name, value in picture._asdict().items() if value is not None} for picture in pictures)
        self._write(self._pictures(group), json_lines(rows), "application/x-ndjson")

    def read_pictures(self, group: int) -> list[Picture]:
        """The pictures of a group."""
        return [Picture(**json.loads(line)) for line in self._lines(self._pictures(group))]

    def write_rows(self, group: int, rows: Iterable[Row]) -> None:
        """Write the rows of a group, whole or not at all."""
        self._write(self._rows(group), json_lines(row.to_dict() for row in rows), "application/x-ndjson")

    def read_all_rows(self, groups: int, lost: Failure = LOST) -> Iterator[Row]:
        """The row of every picture, group by group. If a group has no rows, its pictures get the error `lost`."""
        with ThreadPoolExecutor(READERS) as readers:
            for rows in readers.map(lambda group: self._read_rows(group, lost), range(groups)):
                yield from rows

    def write_manifest(self, groups: int) -> Manifest:
        """Write the list of groups that the Distributed Map reads."""
        text = json.dumps([{"group": number} for number in range(groups)])
        self._write("groups.json", [text.encode()], "application/json")
        prefix = self._run.output_prefix
        return {"bucket": self._run.bucket, "key": f"{prefix}groups.json", "results": f"{prefix}map"}

    def write_report(self, report: str, page: str) -> ReportUrls:
        """Write `report.html`, then `report.json`."""
        self._write("report.html", [page.encode()], "text/html; charset=utf-8")
        self._write("report.json", [report.encode()], "application/json")
        where = f"s3://{self._run.bucket}/{self._run.output_prefix}"
        return ReportUrls(f"{where}report.json", f"{where}report.html")

    def _read_rows(self, group: int, lost: Failure) -> list[Row]:
        try:
            lines = self._lines(self._rows(group))
        except ObjectGone:
            return failed_rows(self._run, self.read_pictures(group), lost)
        return [Row.from_dict(json.loads(line)) for line in lines]

    def _pictures(self, group: int) -> str:
        return f"groups/{group:06}.jsonl"

    def _rows(self, group: int) -> str:
        return f"rows/{group:06}.jsonl"

    def _lines(self, name: str) -> list[bytes]:
        return self._objects.read(self._run.bucket, self._run.output_prefix + name, MAX_FILE_BYTES).splitlines()

    def _write(self, name: str, chunks: Iterable[bytes], content_type: str) -> None:
        self._objects.write(self._run.bucket, self._run.output_prefix + name, chunks, content_type)
