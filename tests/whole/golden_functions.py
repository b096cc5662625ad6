"""What queues, the state machine and the clock call, over S3, SQS and DynamoDB that are dicts."""

import json
from typing import Any

from chalicelib.errors import ObjectForbidden, StorageError
from tests.support.buckets import STAGE
from tests.support.fakes import FakeObjects, FakeQueue, FakeTable, event_of
from tests.whole.golden import compact
from tests.whole.golden_requests import SEVEN
from tests.whole.recording import DIGITS, IN_LAMBDA, Recording, Scenario, damage, second_model

SOURCE = "s3://pictures/in/"
CONTENTS = {
    "in/a.png": SEVEN,
    "in/b c+%.PNG": SEVEN,
    "in/ünï/日本.png": SEVEN,
    "in/forbidden.png": SEVEN,
    "in/text.png": b"no picture",
    "in/cut.png": SEVEN[:60],
    "in/empty.png": b"",
    "in/large.png": SEVEN + b"x" * 5000,
    "in/folder/": b"",
}
BATCHES = {**IN_LAMBDA, "BATCH_PREFIX": "slimception-golden", "MAX_OBJECT_BYTES": "5000"}
REFUSALS: dict[str, Any] = {
    "a list": [],
    "no source": {},
    "no URL": {"source": "pictures"},
    "a loop": {"source": SOURCE, "output": "s3://pictures/in/out"},
    "under incoming": {"source": SOURCE, "output": "s3://other/incoming/x"},
    "an output of another account": {"source": SOURCE, "output": "s3://slimception-golden-evil/results/"},
    "an output that is no text": {"source": SOURCE, "output": 5},
    "too many labels": {"source": SOURCE, "top_k": 11},
    "an unknown model": {"source": SOURCE, "model": "nobody"},
    "an unknown field": {"source": SOURCE, "other": 1},
}
EXPERIMENT = {
    "experiment": "spring",
    "models": ["digits", "digits-2"],
    "source": SOURCE,
    "labels": "folders",
    "weight": 0.5,
    "shadow": 0.5,
    "group": 3,
}


class Cloud:
    """The stores of `app`'s process, replaced."""

    def __init__(self, recording: Recording, contents: dict[str, bytes]) -> None:
        self.objects, self.table = FakeObjects(dict(contents)), FakeTable()
        self.pictures, self.listings = FakeQueue(), FakeQueue()
        batch, workflow = recording.app.runtime.batch, recording.app.runtime.workflow
        batch.objects, batch.table, workflow.objects = self.objects, self.table, self.objects
        batch.buckets = STAGE
        batch.queue = {"pictures": self.pictures, "listings": self.listings}.__getitem__

    def taken(self, queue: FakeQueue) -> Any:
        """The event with all that waits in a queue."""
        bodies, queue.bodies = queue.bodies, []
        return event_of(*bodies)

    def files(self, contents: dict[str, bytes]) -> dict[str, Any]:
        """What was written besides: lines as a list, pages by name alone."""
        new = {key: data.decode() for key, data in self.objects.kept.items() if key not in contents}
        return {key: readable(key, text) for key, text in sorted(new.items())}


def readable(key: str, text: str) -> Any:
    """A file parsed, and how it is written: the bytes are to stay."""
    if key.endswith(".html"):
        return "a page"
    if key.endswith(".jsonl"):
        assert not text or text.endswith("\n")
        return [{"line": json.loads(line), "written": how_written(line)} for line in text.splitlines()]
    content = json.loads(text)
    if key.endswith("report.json"):
        content["verdict"] = list(content["verdict"])  # it tells of times; that of `golden/report.json` is whole
    return {"content": content, "written": how_written(text)}


def how_written(text: str) -> str:
    parsed = json.loads(text)
    ways = {"compact": compact(parsed), "usual": json.dumps(parsed), "indented": json.dumps(parsed, indent=2) + "\n"}
    return next((way for way, written in ways.items() if written == text), f"otherwise: {text}")


def batches(recording: Recording) -> None:
    cloud = Cloud(recording, CONTENTS)
    for name, body in REFUSALS.items():
        recording.ask(name, "POST", "/batches", body)
    recording.ask("an unknown batch", "GET", "/batches/none")
    told = recording.ask("a batch", "POST", "/batches", {"source": SOURCE, "model": "digits", "top_k": 2})
    path = f"/batches/{told['id']}"
    recording.ask("listing", "GET", path)
    recording.answers["the listing's message"] = list(cloud.listings.bodies)
    recording.call("list", "lister", cloud.taken(cloud.listings))
    recording.answers["the pictures' messages"] = list(cloud.pictures.bodies)
    recording.ask("listed", "GET", path)
    cloud.objects.failures = {
        "in/a.png": StorageError("s3://pictures: SlowDown"),
        "in/forbidden.png": ObjectForbidden("s3://pictures/in/forbidden.png may not be used (AccessDenied)"),
    }
    event = cloud.taken(cloud.pictures)
    recording.call("classify, one may not be read now", "worker", event)
    recording.ask("running", "GET", path)
    cloud.objects.failures.clear()
    recording.call("classify that one", "worker", event)
    recording.call("finish", "lister", cloud.taken(cloud.listings))
    recording.ask("complete", "GET", path)
    recording.call("a message that nobody knows", "lister", event_of("{}"))
    recording.call("pictures that nobody knows", "worker", event_of("no JSON", "{}"))
    cloud.objects.kept["incoming/a.png"] = SEVEN
    recording.call(
        "a picture dropped", "worker", event_of(dropped("incoming/a.png", SEVEN), dropped("incoming/b/", b""))
    )
    recording.ask("the batch of a day", "GET", "/batches/incoming-2026-01-31")
    recording.files.update(cloud.files({**CONTENTS, "incoming/a.png": SEVEN}))
    more_batches(recording, cloud)


def dropped(key: str, data: bytes) -> str:
    """S3's notification."""
    s3 = {"bucket": {"name": "pictures"}, "object": {"key": key, "size": len(data), "eTag": "d41d8cd98f00b204"}}
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": "2026-01-31T21:29:54.000Z",
        "s3": s3,
    }
    return json.dumps({"Records": [record]})


def more_batches(recording: Recording, cloud: Cloud) -> None:
    """With an output of its own, with nothing in it, and with a table that does not answer."""
    recording.ask("with output", "POST", "/batches", {"source": SOURCE, "output": "s3://other/out"})
    told = recording.ask("of nothing", "POST", "/batches", {"source": "s3://pictures/nothing/"})
    recording.call("list both", "lister", cloud.taken(cloud.listings))
    recording.ask("failed", "GET", f"/batches/{told['id']}")
    recording.ask("contract", "GET", "/openapi.json")

    def refuse() -> None:
        raise StorageError("queue slimception-golden-listings: ThrottlingException")

    cloud.listings.on_send = refuse
    recording.ask("no storage", "POST", "/batches", {"source": SOURCE})


def workflow(recording: Recording) -> None:
    contents = {f"in/{digit}/{n}.png": SEVEN for digit in (1, 7) for n in range(5)} | {"in/7/cut.png": SEVEN[:60]}
    cloud = Cloud(recording, contents)
    recording.call("a bad input", "plan", {"execution": "x", "state": {**EXPERIMENT, "weight": 2}})
    recording.call("no pictures", "plan", {"execution": "x", "state": {**EXPERIMENT, "source": "s3://pictures/none/"}})
    recording.call("many", "plan", {"execution": "many", "state": {**EXPERIMENT, "group": 1}})
    planned = recording.call("plan", "plan", {"execution": "x", "state": EXPERIMENT})
    for group in (0, 1):
        recording.call(f"group {group}", "classify", {"run": planned["run"], "group": group})
    recording.call(
        "with A instead", "classify", {"run": planned["run"], "group": 2, "instead": True, "because": "Busy"}
    )
    failure = {"Error": "Sandbox.Timedout", "Cause": '{"errorMessage": "timed out"}'}
    recording.call("a failure", "classify", {"run": planned["run"], "group": 3, "failure": failure})
    recording.call("report", "report", {"state": planned})
    recording.files.update(cloud.files(contents))


def broken_workflow(recording: Recording) -> None:
    Cloud(recording, {"in/7/a.png": SEVEN, "in/7/b.png": SEVEN, "in/7/c.png": SEVEN})
    planned = recording.call("plan", "plan", {"execution": "x", "state": {**EXPERIMENT, "weight": 1}})
    recording.call("B is damaged", "classify", {"run": planned["run"], "group": 0})
    recording.call("nothing answered", "report", {"state": planned})


def canary(recording: Recording) -> None:
    event = dict.fromkeys(("version", "id", "detail-type", "source", "account", "time", "region"), "golden")
    recording.call("canary", "canary", {**event, "resources": [], "detail": {}})


def second_damaged(folder: Any) -> None:
    second_model(folder)
    damage(folder / "second_models" / "digits-2")


WORKFLOW = {**BATCHES, "MODEL_DIR": "second_models", "MODEL_NAME": "digits"}
SCENARIOS = {
    "batches": Scenario(batches, BATCHES),
    "workflow": Scenario(workflow, WORKFLOW, second_model),
    "workflow, B damaged": Scenario(broken_workflow, WORKFLOW, second_damaged),
    "canary": Scenario(canary, {**IN_LAMBDA, "CANARY_MINUTES": "5"}),
    "canary, damaged": Scenario(canary, {**IN_LAMBDA, "CANARY_MINUTES": "5"}, lambda folder: damage(folder / DIGITS)),
}
