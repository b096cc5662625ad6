"""Proves that each picture of a batch gets exactly one result, on this machine's AWS, in spite of kills and repeats.

    python -m benchmarks.batch.proof [--pictures 10000] [--seed 1] [--processor avx2]

Deploys the project into `localaws`, uploads files of which 99% are pictures of digits, starts a batch by HTTP, delivers
10% of the messages twice, kills a worker every few seconds and the lister twice, and compares every result with the
answer of one process. Exit code 0 if all checks pass.
"""

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from benchmarks import machine
from benchmarks.api_client import ApiClient
from benchmarks.batch.deployment import Say, deploy
from benchmarks.batch.pictures import PREFIX, pictures
from chalicelib.aws.events import PictureRef
from chalicelib.aws.sqs import Queue
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.answer import answer
from chalicelib.inference.store import ModelStore
from convert.arguments import count
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import Deployment
from localaws.host.environment import CREDENTIALS
from localaws.host.lambda_host import LambdaHost
from localaws.host.masking import additions
from localaws.processor import mask_option

KILL_EVERY_S = (4.0, 8.0)
PICTURES_BETWEEN_KILLS = 350
"""Minimum, so that the share of killed invocations is the same on a slow or busy machine. After three receives a
message is a dead letter, and only chance decides how many messages are killed three times."""
KILL_LISTER_AT = (2, 7)
"""Numbers of the kills that hit the lister; the others hit workers."""
LIMIT_S = 1800.0


class Proof:
    """One run over `count` pictures."""

    def __init__(self, cloud: LocalAws, count: int, seed: int, say: Say = print) -> None:
        self._cloud, self._random, self._say = cloud, random.Random(seed), say
        self.pictures = pictures(count, self._random)
        self.kills = 0
        self.duplicates = 0
        self._done = 0

    def run(self, deployed: Deployment) -> list[str]:
        """Run the whole proof; returns the checks that failed."""
        bucket = self._upload()
        expected = self._serial()
        api = client_of(self._cloud, deployed)
        began = time.monotonic()
        status = _ask(api, "batches", {"source": f"s3://{bucket}/{PREFIX}"})
        self._say(f"batch {status['id']}: {status['state']}")
        ended = threading.Event()
        helpers = [
            threading.Thread(target=self._kill, args=(ended,)),
            threading.Thread(target=self._duplicate, args=(ended, bucket, status["id"])),
        ]
        for helper in helpers:
            helper.start()
        try:
            status = self._wait(api, status["id"])
        finally:
            ended.set()
            for helper in helpers:
                helper.join()
        wall_s = time.monotonic() - began
        self._say(f"{status['state']} after {wall_s:.0f} s, {self.duplicates} delivered twice, {self.kills} killed")
        self._drain()
        return self._judge(status, _ask(api, f"batches/{status['id']}"), bucket, expected)

    def _upload(self) -> str:
        s3 = self._cloud.client("s3")
        bucket: str = s3.list_buckets()["Buckets"][0]["Name"]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]), self.pictures.items()))
        self._say(f"uploaded {len(self.pictures)} pictures to s3://{bucket}/{PREFIX}")
        return bucket

    def _serial(self) -> dict[str, Any]:
        store = ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))
        return {key: answer(store, lambda data=data: data) for key, data in self.pictures.items()}  # type: ignore[misc]

    def _kill(self, ended: threading.Event) -> None:
        """Kill a worker every few seconds, and the lister twice; a busy instance if there is one."""
        killed_at = -PICTURES_BETWEEN_KILLS
        while not ended.wait(self._random.uniform(*KILL_EVERY_S)):
            if self._done < killed_at + PICTURES_BETWEEN_KILLS:
                continue
            name = "lister" if self.kills in KILL_LISTER_AT else "worker"
            live = [one for one in self._cloud.host.instances() if one.function.name.endswith(name)]
            if live:
                self._random.choice(live[:2]).kill()  # busy ones come first
                self.kills += 1
                killed_at = self._done  # not before: a worker may start only after this look

    def _duplicate(self, ended: threading.Event, bucket: str, batch_id: str) -> None:
        """Deliver a tenth of the messages a second time, spread over the run."""
        chosen = self._random.sample(sorted(self.pictures), len(self.pictures) // 10)
        queue = Queue(self._cloud.client("sqs"), "slimception-dev-pictures")
        for start in range(0, len(chosen), 20):
            keys = chosen[start : start + 20]
            queue.send([PictureRef(bucket, key, len(self.pictures[key]), batch=batch_id).to_message() for key in keys])
            self.duplicates += len(keys)
            ended.wait(0.5)

    def _wait(self, api: ApiClient, batch_id: str) -> dict[str, Any]:
        deadline, shown = time.monotonic() + LIMIT_S, 0.0
        while time.monotonic() < deadline:
            try:
                status = _ask(api, f"batches/{batch_id}")
            except (OSError, ValueError):  # the instance that was to answer was killed: a 502
                continue
            self._done = status["done"]
            if status["state"] in ("complete", "failed"):
                return status
            if time.monotonic() > shown + 10:
                shown = time.monotonic()
                self._say(
                    f"  {status['state']}: {status['done']} of {status['total']}, {status['rate_per_s']} a second"
                )
            time.sleep(1)
        return {"id": batch_id, "state": "not complete in time"}

    def _drain(self) -> None:
        deadline = time.monotonic() + LIMIT_S
        while any(self._waiting(name) for name in ("pictures", "listings")) and time.monotonic() < deadline:
            time.sleep(0.5)

    def _waiting(self, name: str) -> int:
        sqs = self._cloud.client("sqs")
        url = sqs.get_queue_url(QueueName=f"slimception-dev-{name}")["QueueUrl"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        sqs.close()
        return sum(int(counts[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible", "Delayed"))

    def _judge(self, status: Any, after: Any, bucket: str, expected: dict[str, Any]) -> list[str]:
        if status["state"] != "complete":
            return [f"the batch is {status['state']}: {status}"]
        text = self._cloud.client("s3").get_object(Bucket=bucket, Key=status["results"].split("/", 3)[3])["Body"].read()
        rows = [json.loads(line) for line in text.splitlines()]
        found = {row.pop("key"): row for row in rows}
        codes = Counter(row["error"]["Code"] for row in found.values() if "error" in row)
        different = [key for key in expected if found.get(key) != expected[key]]
        waiting = {name: self._waiting(name) for name in ("pictures", "listings", "dead-letters")}
        total = len(self.pictures)
        checks = {
            f"{len(rows)} results, {len(found)} different keys": len(rows) == len(found) == total,
            f"{total - len(different)} equal to the serial answers": not different,
            f"errors: {dict(codes)}": sum(codes.values()) == sum("error" in a for a in expected.values()),
            f"counts: {after['total']} listed, {after['done']} done, {after['failed']} failed": (
                (after["total"], after["done"], after["failed"]) == (total, total, sum(codes.values()))
            ),
            f"messages left: {waiting}": not any(waiting.values()),
            f"{self.kills} killed, {self.duplicates} delivered twice": self.kills > 0
            and self.duplicates == total // 10,
        }
        for line, held in checks.items():
            self._say(f"{'ok  ' if held else 'FAIL'} {line}")
        return [line for line, held in checks.items() if not held]


def client_of(cloud: LocalAws, deployed: Deployment) -> ApiClient:
    """Calls the API with the credentials of this machine's AWS."""
    from botocore.credentials import Credentials

    return ApiClient(deployed.url, Credentials(*CREDENTIALS.values()), cloud.region)


def _ask(api: ApiClient, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Raises ValueError for an answer that is an error, such as a 502 of an instance that was killed."""
    answer = api.ask(path, body)
    if answer.status >= 400:
        raise ValueError(f"{path}: {answer}")
    return answer.body


def main() -> int:
    """Run it once."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch.proof", description=__doc__)
    parser.add_argument("--pictures", type=count, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, metavar="N")
    parser.add_argument("--instances", type=count, default=4, metavar="N", help="function processes at once")
    mask_option.add_option(parser)
    options, say = parser.parse_args(), partial(print, flush=True)
    began = time.monotonic()
    shown = machine.shown(parser, options.processor)
    say(f"{options.pictures} pictures, {shown.heading}")
    with LocalAws(host=LambdaHost(options.instances, additions=additions(shown))) as cloud:
        deployed = deploy(cloud, say)
        problems = Proof(cloud, options.pictures, options.seed, say).run(deployed)
    print(f"{'failed' if problems else 'all held'}, {time.monotonic() - began:.0f} s in all")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
