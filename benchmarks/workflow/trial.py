"""One execution of the deployed state machine: uploads pictures, runs it, fetches its report and checks the counts."""

import json
import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from benchmarks import digit_scans
from chalicelib.split import ARMS, Split
from chalicelib.workflow.report.types import Report
from localaws.cloud.local_aws import LocalAws

STATE_MACHINE = "slimception-dev-workflow"
LIMIT_S = 900.0
LOOK_EVERY_S = 0.2
BROKEN_EVERY = 20

OnGroups = Callable[[int, int], None]


@dataclass
class Trial:
    """An execution called `name`. `pictures` are name to content, in folders named by the label."""

    cloud: LocalAws
    name: str
    input: dict[str, Any]
    """The execution's; `run` adds the source."""
    pictures: Mapping[str, bytes]
    folder: str = "pictures"
    """The pictures' folder in the bucket."""
    bucket: str = ""
    execution: dict[str, Any] = field(default_factory=dict)
    report: Report | None = None
    """None until it is fetched."""
    page: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)

    def run(self, on_groups: OnGroups | None = None) -> list[str]:
        """Upload, execute, fetch the report; returns the checks that fail, in words."""
        s3, states = self.cloud.client("s3"), self.cloud.client("stepfunctions")
        try:
            self._upload(s3)
            self._execute(s3, states, on_groups)
            if self.execution["status"] != "SUCCEEDED":
                return [f"the execution ended {self.execution['status']}: {self.execution.get('cause')}"]
            self.fetch(s3)
        finally:
            s3.close()
            states.close()
        return [what for what, held in self.checks().items() if not held]

    def _upload(self, s3: Any) -> None:
        self.bucket = next(
            bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"].startswith("slimception-")
        )
        self.input = {**self.input, "source": f"s3://{self.bucket}/{self.folder}/"}
        with ThreadPoolExecutor(4) as pool:
            list(
                pool.map(
                    lambda item: s3.put_object(Bucket=self.bucket, Key=f"{self.folder}/{item[0]}", Body=item[1]),
                    self.pictures.items(),
                )
            )

    def _execute(self, s3: Any, states: Any, on_groups: OnGroups | None) -> None:
        machines = states.list_state_machines()["stateMachines"]
        arn = next(machine["stateMachineArn"] for machine in machines if machine["name"] == STATE_MACHINE)
        started = states.start_execution(stateMachineArn=arn, name=self.name, input=json.dumps(self.input))
        groups = -(-len(self.pictures) // self.input["group"])
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            self.execution = states.describe_execution(executionArn=started["executionArn"])
            if on_groups is not None:
                on_groups(len(self._keys(s3, "rows/")), groups)
            if self.execution["status"] != "RUNNING":
                return
            time.sleep(LOOK_EVERY_S)

    def fetch(self, s3: Any) -> None:
        """Fetch the report, its page and the rows. They exist even if no picture was answered."""
        self.report = json.loads(self._read(s3, f"{self.output_prefix}report.json"))
        self.page = self._read(s3, f"{self.output_prefix}report.html").decode()
        for key in self._keys(s3, "rows/"):
            self.rows += [json.loads(line) for line in self._read(s3, key).splitlines()]

    @property
    def output_prefix(self) -> str:
        """The prefix of the files that the execution writes."""
        return f"workflows/{self.input['experiment']}/{self.name}/"

    def _keys(self, s3: Any, what: str) -> list[str]:
        listed = s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.output_prefix}{what}")
        return [found["Key"] for found in listed.get("Contents", [])]

    def _read(self, s3: Any, key: str) -> bytes:
        content: bytes = s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def checks(self) -> dict[str, bool]:
        """Statements about the counts, and whether each one is true. The arms are dealt again here; needs `report`."""
        report = self.report
        assert report is not None, "fetch the report first"
        first, second = self.input["models"]
        split = Split(self.input["experiment"], first, second, self.input["weight"])
        total, counts = len(self.pictures), report["counts"]
        keys = {row["key"]: row["arm"] for row in self.rows}
        dealt = {key: split.arm(key) for key in (f"{self.folder}/{name}" for name in self.pictures)}
        arms = {arm: sum(found == arm for found in dealt.values()) for arm in ARMS}
        counted = {arm: report["arms"][arm]["images"] for arm in ARMS}
        return {
            f"{total} pictures, {counts['images']} in the report": counts["images"] == total,
            f"{counts['answered']} answered + {counts['failed']} failed": (
                counts["answered"] + counts["failed"] == counts["images"]
            ),
            f"{len(self.rows)} rows, {len(keys)} keys, {counts['duplicates']} twice": (
                len(self.rows) == len(keys) == total and counts["duplicates"] == 0
            ),
            f"A and B have {arms['A']} and {arms['B']} by the hash, {counted['A']} and {counted['B']} in the report": (
                keys == dealt and counted == arms
            ),
            f"the split is within chance of {self.input['weight']}": report["split"]["within_chance"],
        }


def pictures(count: int, seed: int, *, broken: bool = False) -> dict[str, bytes]:
    """Scans of digits as `<digit>/<number>.png`, each shifted by chance; with `broken`, one in twenty is no picture."""
    scans, chance = digit_scans.load(), random.Random(seed)
    made = {}
    for number in range(count):
        which = number % len(scans.target)
        picture = digit_scans.png(scans.images[which], chance)  # for a broken one, too: the others stay the same
        is_broken = broken and number % BROKEN_EVERY == BROKEN_EVERY // 2
        made[f"{scans.target[which]}/{number:05}.png"] = b"no picture at all" if is_broken else picture
    return made
