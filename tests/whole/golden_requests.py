"""What is asked over HTTP, in every kind of installation."""

import base64
from pathlib import Path
from typing import Any

from tests.support import paths
from tests.support.engines import without_xnnpack
from tests.support.pictures import gif_claiming
from tests.whole.recording import DIGITS, IN_LAMBDA, Recording, Scenario, damage, second_model

SEVEN = paths.SEVEN.read_bytes()
TEXT = base64.b64encode(SEVEN).decode()
WITHOUT_PLUS = TEXT.rstrip("=").replace("+", "-").replace("/", "_")
IN_LINES = "\r\n".join(WITHOUT_PLUS[start : start + 60] for start in range(0, len(WITHOUT_PLUS), 60))
MANY_SCANS = b"\xff\xd8\xff" + b"\xff\xda" * 101
AB = {**IN_LAMBDA, "MODEL_DIR": "second_models", "AB_TEST": "digits,digits-2,0.5,spring"}
CUSTOMERS = ("amber", "birch", "cedar", "delta")

PREDICTIONS: dict[str, Any] = {
    "plain base64": {"image": TEXT},
    "data: URL": {"image": f"data:image/png;base64,{TEXT}", "top_k": 3},
    "URL-safe, unpadded, in lines": {"image": IN_LINES, "top_k": 1},
    "a model named": {"image": TEXT, "model": "digits", "top_k": 10},
    "instances": {"instances": [{"b64": TEXT}, {"b64": TEXT}]},
    "instances, top_k and model": {"instances": [{"b64": TEXT}], "top_k": 2, "model": "digits"},
}
REFUSALS: dict[str, Any] = {
    "a list": [1],
    "no image": {},
    "an unknown field": {"image": TEXT, "unknown": 1},
    "both forms": {"image": TEXT, "instances": [{"b64": TEXT}]},
    "an image that is no text": {"image": 5},
    "no base64": {"image": "!!!!"},
    "empty": {"image": "=="},
    "a length that is none": {"image": "QUJDR"},
    "outside ASCII": {"image": "ünï"},
    "a data: URL that is not base64": {"image": "data:image/png,abc"},
    "top_k 0": {"image": TEXT, "top_k": 0},
    "top_k of more than there are": {"image": TEXT, "top_k": 11},
    "top_k as text": {"image": TEXT, "top_k": "5"},
    "top_k true": {"image": TEXT, "top_k": True},
    "model without name": {"image": TEXT, "model": ""},
    "no instances": {"instances": []},
    "an instance that is none": {"instances": [{"b64": TEXT}, {"b65": TEXT}]},
    "an instance that is no base64": {"instances": [{"b64": TEXT}, {"b64": "!"}]},
    "an instance that is no picture": {"instances": [{"b64": TEXT}, {"b64": "QUJD"}]},
    "an unknown model": {"image": TEXT, "model": "nobody"},
    "too wide": {"image": base64.b64encode(gif_claiming(20_000, 1)).decode()},
    "too many scans": {"image": base64.b64encode(MANY_SCANS).decode()},
    "no picture": {"image": base64.b64encode(b"no picture").decode()},
    "a PDF": {"image": base64.b64encode(b"%PDF-1.7").decode()},
    "cut off": {"image": base64.b64encode(SEVEN[:60]).decode()},
}


def everything(recording: Recording) -> None:
    for name, fields in PREDICTIONS.items():
        recording.ask(name, "POST", "/predict", fields)
    recording.ask("no content type", "POST", "/predict", f'{{"image":"{TEXT}"}}'.encode())
    recording.ask("+json", "POST", "/predict", b'{"image":"QUJD"}', Content_Type="application/x+json; charset=utf-8")
    for customer in ("acme", "stranger", "not a name!"):
        recording.ask(f"customer {customer}", "POST", "/predict", {"image": TEXT}, X_Customer_Id=customer)
    recording.ask("image", "POST", "/predict/image", SEVEN, Content_Type="image/png")
    recording.ask("image, query", "POST", "/predict/image?top_k=2&model=digits", SEVEN, Content_Type="image/jpeg")
    recording.ask("image, any bytes", "POST", "/predict/image", SEVEN, Content_Type="application/octet-stream")
    for path in ("/health", "/models", "/openapi.json", "/"):
        recording.ask(path, "GET", path)
    recording.answers["routes, and what a preflight gets"] = {
        f"{method} {path}": route.cors and route.cors.get_access_control_headers()
        for path, methods in recording.app.app.routes.items()
        for method, route in methods.items()
    }


def refusals(recording: Recording) -> None:
    recording.ask("no JSON", "POST", "/predict", b"not JSON", Content_Type="application/json")
    recording.ask("NaN", "POST", "/predict", b'{"image":"QUJD","top_k":NaN}', Content_Type="application/json")
    for name, fields in REFUSALS.items():
        recording.ask(name, "POST", "/predict", fields)
    recording.ask("a content type", "POST", "/predict", b"{}", Content_Type="text/html")
    recording.ask("a large body", "POST", "/predict", {"image": "A" * 8000})
    recording.ask("image, a content type", "POST", "/predict/image", b"no picture", Content_Type="image/tiff")
    recording.ask("image, empty", "POST", "/predict/image", b"", Content_Type="image/png")
    recording.ask("image, large", "POST", "/predict/image", b"A" * 8001, Content_Type="image/png")
    recording.ask("image, cut off", "POST", "/predict/image", SEVEN[:60], Content_Type="image/png")
    for query in ("top_k=x", "top_k=0", "top_k=11", "model=", "model=nobody", "other=1"):
        recording.ask(f"image, {query}", "POST", f"/predict/image?{query}", SEVEN, Content_Type="image/png")
    recording.ask("batches", "POST", "/batches", {"source": "s3://pictures/in/"})
    recording.ask("a batch", "GET", "/batches/none")
    recording.ask("no route", "GET", "/nowhere")
    recording.ask("no such method", "GET", "/predict")


def broken(recording: Recording) -> None:
    recording.ask("predict", "POST", "/predict", {"image": TEXT})
    recording.ask("predict/image", "POST", "/predict/image", SEVEN, Content_Type="image/png")
    for path in ("/health", "/models"):
        recording.ask(path, "GET", path)


def unforeseen(recording: Recording) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("/opt/secret: invoke failed")

    recording.app.runtime.store.get = fail
    broken(recording)


def compared(recording: Recording) -> None:
    recording.ask("nobody in particular", "POST", "/predict", {"image": TEXT, "top_k": 1})
    for customer in CUSTOMERS:
        recording.ask(customer, "POST", "/predict", {"image": TEXT, "top_k": 1}, X_Customer_Id=customer)
        recording.ask(f"{customer}, refused", "POST", "/predict", {"image": "QUJD"}, X_Customer_Id=customer)
    recording.ask("instances", "POST", "/predict", {"instances": [{"b64": TEXT}], "top_k": 1})
    recording.ask("outside", "POST", "/predict", {"image": TEXT, "model": "digits-2", "top_k": 1})
    for path in ("/health", "/models"):
        recording.ask(path, "GET", path)


def compared_with_damage(folder: Path) -> None:
    second_model(folder)
    damage(folder / "second_models" / "digits-2")


def slow(recording: Recording) -> None:
    """XNNPACK does not start, as on Lambda's arm64 without the layer's library."""
    store = recording.app.runtime.store
    store._engine = without_xnnpack(store.get().engine)
    store._loaded.clear()
    for name in ("first", "second"):
        recording.ask(name, "POST", "/predict", {"image": TEXT, "top_k": 1})


SCENARIOS = {
    "everything": Scenario(everything, {**IN_LAMBDA, "CUSTOMERS": "acme", "CORS_ALLOW_ORIGIN": "https://example.org"}),
    "refusals": Scenario(refusals, {**IN_LAMBDA, "MAX_BODY_BYTES": "8000"}),
    "no model": Scenario(broken, {**IN_LAMBDA, "MODEL_NAME": "nobody", "WARM_IN_INIT": "true"}),
    "a damaged model": Scenario(broken, IN_LAMBDA, lambda folder: damage(folder / DIGITS)),
    "unforeseen": Scenario(unforeseen, IN_LAMBDA),
    "outside of Lambda": Scenario(broken),
    "without XNNPACK": Scenario(slow, IN_LAMBDA),
    "A/B": Scenario(compared, AB, second_model),
    "A/B, B damaged": Scenario(compared, AB, compared_with_damage),
}
