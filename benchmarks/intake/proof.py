"""Pictures named to all triggers, poison among them, functions killed; one result each."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.batch.deployment import Say
from benchmarks.batch.pictures import pictures
from benchmarks.intake.sources import USER_BUCKET, Sources
from chalicelib.batch.record import Result
from chalicelib.batch.table import Table
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.answer import answer
from chalicelib.inference.store import ModelStore
from layers.deploy.resources import RESOURCES
from layers.deploy.triggers import deploy_triggers
from localaws.cloud.local_aws import LocalAws
from localaws.deploy.deployer import PROJECT

TRIGGERS = ("s3", "sns", "eventbridge", "kinesis", "dynamodb", "schedule")
VISIBLE_AFTER_S = 16
"""Of a picture's message, so that what a killed worker had comes again soon: longer than the worker's time-out."""
KILL_EVERY_S = (1.0, 3.0)
LOOK_EVERY_S = 0.005
MOST_KILLS = 4
"""Two of each function: when the third one dies, Lambda makes a dead letter of an asynchronous event."""
IDLE_S = 240.0
"""Without a further result or dead letter; asynchronous events wait one and two minutes for their next try."""


def wire(cloud: LocalAws, sources: Sources) -> Iterator[str]:
    """Deploy the stage's stack of triggers for these sources, as `python -m layers triggers` does."""
    given = dict.fromkeys(("schedule_model", "lex_bot_alias")) | sources.arns
    cloudformation = cloud.client("cloudformation")
    yield from deploy_triggers(cloudformation, Path(PROJECT, RESOURCES), "slimception", "dev", given)
    cloudformation.close()
    functions = cloud.client("lambda")
    arn = functions.get_function_configuration(FunctionName="slimception-dev-intake")["FunctionArn"]
    functions.close()
    sources.connect(arn)


class Proof:
    """Runs over the triggers of one deployment."""

    def __init__(self, cloud: LocalAws, sources: Sources, count: int, seed: int, say: Say = print) -> None:
        self._cloud, self._sources, self._count, self._say = cloud, sources, count, say
        self._random = random.Random(seed)
        self._sqs, self._dynamodb = cloud.client("sqs"), cloud.client("dynamodb")
        self._table = Table(self._dynamodb, "slimception-dev-batches")
        self._store = ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,), num_threads=1))
        self.kills = Counter[str]()
        self._started = datetime.now(UTC)
        self._sqs.set_queue_attributes(
            QueueUrl=self._url("pictures"), Attributes={"VisibilityTimeout": str(VISIBLE_AFTER_S)}
        )

    def close(self) -> None:
        """Close the clients."""
        self._sqs.close()
        self._dynamodb.close()

    def run(self, triggers: Sequence[str]) -> list[str]:
        """Send the pictures of all these triggers, and see what becomes of them; returns the checks that failed."""
        contents = {trigger: self._contents(trigger) for trigger in triggers}
        began, ended = time.monotonic(), threading.Event()
        killer = threading.Thread(target=self._kill, args=(ended,))
        killer.start()
        try:
            letters = {trigger: self._send(trigger, contents[trigger]) for trigger in triggers}
            self._say(f"sent after {time.monotonic() - began:.0f} s: {len(triggers)} times {self._count} pictures")
            self._wait({trigger: len(sent) for trigger, sent in contents.items()}, sum(letters.values()))
        finally:
            ended.set()
            killer.join()
        self._say(f"answered after {time.monotonic() - began:.0f} s, killed while they worked: {dict(self.kills)}")
        checks = {trigger: self._of_trigger(trigger, contents[trigger]) for trigger in triggers}
        dead, waiting, due = self._waiting("dead-letters"), self._waiting("pictures"), sum(letters.values())
        checks["all"] = {
            f"{due} of poison, {dead} dead letters": dead == due,
            f"{waiting} messages left": not waiting,
            f"killed {self.kills.total()}": min(self.kills["worker"], self.kills["intake"]) > 0,
        }
        for trigger, lines in checks.items():
            for line, held in lines.items():
                self._say(f"{'ok  ' if held else 'FAIL'} {trigger}: {line}")
        return [f"{trigger}: {line}" for trigger, lines in checks.items() for line, held in lines.items() if not held]

    def _contents(self, trigger: str) -> dict[str, bytes]:
        """Key to content; for S3 and the schedule, whose events are always whole, a tenth is no picture."""
        made = pictures(self._count, self._random)
        data = list(made.values())
        broken = trigger in ("s3", "schedule")
        return {
            f"{trigger}/{number:05} ü+%.png": b"no picture" if broken and number % 10 == 5 else one
            for number, one in enumerate(data)
        }

    def _send(self, trigger: str, contents: dict[str, bytes]) -> int:
        """Upload and name every picture, a tenth of them twice, with poison in between; gives the dead letters due."""
        letters = 0
        for number, (key, data) in enumerate(contents.items()):
            self._sources.put(key, data)
            if trigger not in ("s3", "schedule"):
                self._sources.name(trigger, key)
                letters += self._sources.poison(trigger, number) if number % 10 == 5 else 0
            if number % 10 == 7 and trigger != "schedule":
                self._sources.name(trigger, key)
        if trigger == "schedule":
            for _ in range(2):
                self._sources.name(trigger, "")
        return letters

    def _kill(self, ended: threading.Event) -> None:
        """Kill intake and worker in turns, each while it works on an event."""
        while self.kills.total() < MOST_KILLS:
            name, pause_s = ("intake", "worker")[self.kills.total() % 2], self._random.uniform(*KILL_EVERY_S)
            busy = [one for one in self._cloud.host.busy_instances() if one.function.name.endswith(name)]
            if busy:
                busy[0].kill()
                self.kills[name] += 1
            if ended.wait(pause_s if busy else LOOK_EVERY_S):
                return

    def _wait(self, due: Mapping[str, int], letters: int) -> None:
        last = shown = time.monotonic()
        seen: tuple[int, int] = (0, 0)
        while time.monotonic() < last + IDLE_S:
            waiting, dead = self._waiting("pictures"), self._waiting("dead-letters")
            if time.monotonic() > shown + 10:
                shown = time.monotonic()
                found = dead, sum(len(self._results(trigger)) for trigger in due)
                if found != seen:
                    seen, last = found, shown
                self._say(f"  {found[1]} results, {waiting} messages wait, {dead} dead letters")
            quiet = not waiting and dead >= letters
            if quiet and all(len(self._results(trigger)) >= count for trigger, count in due.items()):
                return
            time.sleep(1)

    def _results(self, trigger: str) -> list[Result]:
        """Those of the days on which this ran, and of batches that the schedule started."""
        days = {(self._started + timedelta(days=day)).date().isoformat() for day in (0, 1)}
        ids = [f"incoming-{day}" for day in sorted(days)]
        if trigger == "schedule":
            ids = self._batches()
        return [one for batch in ids for one in self._table.results(batch) if f"{trigger}/" in one.key]

    def _batches(self) -> list[str]:
        """The ids of all batches that are not a day's."""
        pages = self._dynamodb.get_paginator("scan").paginate(TableName="slimception-dev-batches")
        names = {item["id"]["S"] for page in pages for item in page["Items"] if item["sort"]["S"] == "batch"}
        return sorted(name.removeprefix("batch ") for name in names if "incoming-" not in name)

    def _of_trigger(self, trigger: str, contents: Mapping[str, bytes]) -> dict[str, bool]:
        expected = {key: answer(self._store, lambda data=data: data) for key, data in contents.items()}  # type: ignore[misc]
        found = self._results(trigger)
        answers = {one.key.removeprefix(f"s3://{USER_BUCKET}/"): dict(one.answer) for one in found}
        different = [key for key in expected if answers.get(key) != expected[key]]
        failed = sum("error" in one for one in answers.values())
        return {
            f"{len(found)} results of {len(expected)} pictures": len(found) == len(answers) == len(expected),
            f"{len(expected) - len(different)} equal to the serial answers, {failed} of them errors": not different,
        }

    def _waiting(self, name: str) -> int:
        counts = self._sqs.get_queue_attributes(QueueUrl=self._url(name), AttributeNames=["All"])["Attributes"]
        return sum(int(counts[f"ApproximateNumberOfMessages{which}"]) for which in ("", "NotVisible", "Delayed"))

    def _url(self, name: str) -> str:
        return str(self._sqs.get_queue_url(QueueName=f"slimception-dev-{name}")["QueueUrl"])
