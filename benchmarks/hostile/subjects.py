"""What is fuzzed: pictures, requests, and the files of a bundle. Each says what a fault is."""

import json
import math
import random
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NoReturn

import app
from benchmarks.hostile.mutations import mutant
from benchmarks.hostile.requests import REQUESTS, raw
from benchmarks.hostile.subject import Fault, Subject
from chalicelib import runtime
from chalicelib.api.views import Api
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.errors import ClientError, ModelError
from chalicelib.inference.card import RESIZES, InputSpec
from chalicelib.inference.images import pixels_of
from chalicelib.inference.registry import CARD_FILE, LABELS_FILE, load_bundle
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import Spans

HANDLED_EVERY = 100
"""One picture in 100 goes through the handler, too."""
ROUTES_EVERY = 10
"""One bundle in 10 lies beside a good one while all routes are asked."""
SPECS = [InputSpec(32, 24, "RGB", 0.875, (0.0,) * 3, (1.0,) * 3, resize) for resize in RESIZES]
"""The first is resized as the handler's model resizes."""


def make(kind: str, seeds: Sequence[bytes], folder: Path) -> Subject:
    """The subject of this name; `folder` is for its files."""
    if kind == "pictures":
        return Pictures(seeds)
    return Requests() if kind == "requests" else Cards(folder)


def answer(event: dict[str, Any], allowed_5xx: tuple[int, ...] = ()) -> dict[str, Any]:
    """The handler's answer; raises Fault for a 5xx, and for a body that is not JSON where it should be."""
    response = app.app(event, None)
    status, kind = response["statusCode"], response["headers"].get("Content-Type", "")
    if status >= 500 and status not in allowed_5xx:
        raise Fault(f"status {status}: {response['body'][:100]}")
    if ("json" in kind or status != 200) and response["body"] is not None:  # HEAD has none
        json.loads(response["body"], parse_constant=_no_json)
    found: dict[str, Any] = response
    return found


def _no_json(name: str) -> NoReturn:
    raise Fault(f"not JSON: the body holds {name}")


class Pictures:
    """Bytes to pixels: a ClientError or pixels."""

    def __init__(self, seeds: Sequence[bytes]) -> None:
        self._seeds = seeds

    def make(self, seed: int, number: int) -> bytes:
        """One of the seeds, mutated."""
        return mutant(self._seeds, seed, number)

    def try_out(self, mutant: bytes, number: int) -> bool:
        """Decode it; every hundredth is a request as well, which must agree."""
        try:
            spec = SPECS[number % len(SPECS)]
            pixels = pixels_of(mutant, spec, Spans())
        except ClientError:
            accepted = False
        else:
            accepted = True
            if pixels.shape != (spec.height, spec.width, 3):
                raise Fault(f"shape: {pixels.shape}")
        if number % HANDLED_EVERY == 0 and (answer(raw(mutant))["statusCode"] == 200) != accepted:
            raise Fault("disagreement: the handler answers otherwise than the decoder")
        return accepted


class Requests:
    """Events to answers below 500 that are JSON."""

    def __init__(self) -> None:
        small = [sent.event for sent in REQUESTS if len(str(sent.event)) < 20_000]
        self._events = small
        self._bodies = [str(event["body"] or "").encode("utf-8", "surrogatepass") for event in small]

    def make(self, seed: int, number: int) -> bytes:
        """The event as JSON: one part of a request made by hand is mutated."""
        rng = random.Random(seed * 1_000_000_007 + number)
        event = dict(rng.choice(self._events))
        for _ in range(rng.choice((1, 1, 2))):
            part = rng.choice(("body", "body", "body", "headers", "query", "path", "parameters"))
            if part == "body":
                event["body"] = self._text(seed, number, str(event["body"] or ""))
            elif part == "headers":
                event["headers"] = {**(event["headers"] or {}), self._word(rng): self._word(rng)}
            elif part == "query":
                event["multiValueQueryStringParameters"] = {self._word(rng): [self._word(rng), self._word(rng)]}
            elif part == "path":
                event["requestContext"] = {
                    **event["requestContext"],
                    "path": self._word(rng),
                    "requestId": self._word(rng),
                }
            else:
                event["pathParameters"] = {"batch_id": self._word(rng)}
        return json.dumps(event).encode()

    def _text(self, seed: int, number: int, body: str) -> str:
        bodies = [body.encode("utf-8", "surrogatepass"), *random.Random(number).sample(self._bodies, 3)]
        return mutant([data or b"{}" for data in bodies], seed, number).decode("utf-8", "replace")

    def _word(self, rng: random.Random) -> str:
        words = (
            "content-type",
            "top_k",
            "model",
            "x-customer-id",
            "digits",
            "1",
            "",
            "\0",
            "application/json",
            "accept",
        )
        made = "".join(chr(rng.choice((rng.randrange(128), rng.randrange(0xD800)))) for _ in range(rng.randrange(9)))
        return rng.choice((*words, made, "x" * 5_000))

    def try_out(self, mutant: bytes, _: int) -> bool:
        """Send it. What is left out to make it smaller must leave an event."""
        try:
            event = json.loads(mutant)
            shaped = isinstance(event["requestContext"]["httpMethod"], str) and event["requestContext"]["resourcePath"]
        except (ValueError, KeyError, TypeError):
            return False
        return bool(shaped) and answer(event)["statusCode"] == 200


VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2**31, 2**63, 10**400, 0.5, 1e308, 5e-324, math.nan, math.inf, -math.inf, "", "x"),
    *("\0", "\ud800", "x" * 100_000, "../..", [], {}, [[]], [0], [0.0] * 3, [1.0] * 100_000, {"a": {}}),
    *("RGB", "L", "logits", "sigmoid", "tf-bilinear"),
    {"pixels": {"value": "x", "from": "assumption", "reason": "x"}},
    {"pixels": {"value": "x", "from": "assumption"}},
    {"": {"value": "\ud800", "from": "graph", "reason": "\0"}},
]


class Cards:
    """Bundles to a loaded bundle or a ModelError; the other bundle answers whatever is wrong with the first one."""

    def __init__(self, folder: Path) -> None:
        source = EMBEDDED_MODELS / "digits"
        self._bad, self._good = folder / "a_bad", folder / "digits"
        for bundle in (self._bad, self._good):
            shutil.copytree(source, bundle)
        self._card = (source / CARD_FILE).read_bytes()
        self._labels = (source / LABELS_FILE).read_bytes()
        self._settings = Settings(model_dirs=(folder,), model_name="digits")

    def make(self, seed: int, number: int) -> bytes:
        """Card and labels, with a zero byte between; one of them is mutated."""
        rng = random.Random(seed * 1_000_000_007 + number)
        card, labels = self._card, self._labels
        if rng.random() < 0.6:
            card = self._with_values(rng)
        elif rng.random() < 0.6:
            card = mutant([card, labels], seed, number)
        else:
            labels = mutant([labels, card], seed, number)
        return card.replace(b"\0", b"") + b"\0" + labels

    def _with_values(self, rng: random.Random) -> bytes:
        card = json.loads(self._card)
        for _ in range(rng.choice((1, 1, 2))):
            at = card
            for key in rng.choice((("input",), ("output",), (), (), ("source",))):
                at = at[key] if isinstance(at, dict) and isinstance(at.get(key), dict) else at
            key = rng.choice([*at, "unknown", "version", "resize", "binary", "contract"])
            if rng.random() < 0.15:
                at.pop(key, None)
            else:
                at[key] = deepcopy(rng.choice(VALUES))
        return json.dumps(card).encode()

    def try_out(self, mutant: bytes, number: int) -> bool:
        """Load the bundle; some go through the routes."""
        card, _, labels = mutant.partition(b"\0")
        (self._bad / CARD_FILE).write_bytes(card)
        (self._bad / LABELS_FILE).write_bytes(labels)
        try:
            load_bundle(self._bad)
            accepted = True
        except ModelError:
            accepted = False
        if number % ROUTES_EVERY == 0:
            self._ask_all()
        return accepted

    def _ask_all(self) -> None:
        runtime.api = Api(self._settings, ModelStore(self._settings))
        for sent in REQUESTS:
            if sent.name in ("GET /models, plain", "GET /openapi.json, plain", "GET /health, plain", "PNG, plain"):
                status = answer(sent.event)["statusCode"]
                if status != 200:
                    raise Fault(f"status {status}: {sent.name}, while another bundle is damaged")
        event = raw(REQUEST_PICTURE, model="a_bad")
        answer(event, allowed_5xx=(503,))


REQUEST_PICTURE = (EMBEDDED_MODELS.parents[1] / "tests" / "data" / "seven.png").read_bytes()
