"""The canary: it classifies a known picture every few minutes, so that a fault is noticed before a user meets it.

With the API's URL it sends the picture there, which also keeps one instance of the API warm. Without a URL it
classifies the picture in its own process.
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
"""Model to the right label, for the models that this project ships. Any label is right for another model."""
TIMEOUT_S = 25


def check(store: ModelStore, url: str | None) -> None:
    """Raise ServiceError if the picture is not classified, or wrongly; Lambda counts that as an error of the function.

    `url` is that of the API; None: classify with `store`.
    """
    spans = Spans()
    with spans.measure("total"):
        model, label = _ask(url) if url else _answer(store)
    if KNOWN.get(model, label) != label:
        raise ModelError(
            f"model {model!r} labels the canary's picture {label!r}, expected {KNOWN[model]!r}: see GET /health"
        )
    log("canary", model=model, label=label, spans_ms=spans)


def _answer(store: ModelStore) -> tuple[str, str]:
    classifier = store.get()
    return classifier.card.name, classifier.classify(base64.b64decode(EXAMPLE_IMAGE), 1, Spans())[0].label


def _ask(url: str) -> tuple[str, str]:
    body = json.dumps({"image": EXAMPLE_IMAGE, "top_k": 1}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
        return str(answer["model"]["name"]), str(answer["predictions"][0]["label"])
    except (OSError, ValueError, LookupError) as error:
        raise ModelError(f"{url} does not answer the canary ({type(error).__name__}: {error})") from error
