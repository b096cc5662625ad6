"""The canary: classifies a known picture now and then, so that what is broken is known before a user tells.

Given the API's URL it asks there, which also keeps one instance of the API warm; else its own process answers.
"""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

from chalicelib.api.contract import EXAMPLE_IMAGE
from chalicelib.errors import ModelError
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import Spans, log

KNOWN = {"digits": "7"}
"""The right answer of models that this project ships; of others, any answer is right."""
TIMEOUT_S = 25


def check(store: ModelStore, url: str | None) -> None:
    """Raises ModelError unless the picture is answered, and rightly so; Lambda counts it among the errors."""
    spans = Spans()
    with spans.measure("total"):
        model, label = _ask(url) if url else _answer(store)
    if KNOWN.get(model, label) != label:
        raise ModelError(f"model {model!r} takes the canary's {KNOWN[model]!r} for {label!r}")
    log("canary", model=model, label=label, spans_ms=spans)


def _answer(store: ModelStore) -> tuple[str, str]:
    classifier = store.get()
    return classifier.card.name, classifier.classify(base64.b64decode(EXAMPLE_IMAGE), 1, Spans())[0].label


def _ask(url: str) -> tuple[str, str]:
    body = json.dumps({"image": EXAMPLE_IMAGE, "top_k": 1}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            told: dict[str, Any] = json.load(response)
        return str(told["model"]["name"]), str(told["predictions"][0]["label"])
    except (OSError, ValueError, LookupError) as error:
        raise ModelError(f"{url} does not answer the canary ({type(error).__name__}: {error})") from error
