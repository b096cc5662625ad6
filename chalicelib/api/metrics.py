"""CloudWatch metrics inside the log line, in the embedded metric format: no call is made for them.

Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".
"""

import platform
import time
from collections.abc import Mapping
from typing import Any

from chalicelib.api.bodies import Request
from chalicelib.api.customers import customer_of
from chalicelib.config import Settings
from chalicelib.pricing import cost_usd
from chalicelib.telemetry import cold_start

NO_MODEL = "none"
UNITS = {
    "Requests": "Count",
    "ClientErrors": "Count",
    "ServerErrors": "Count",
    "ColdStarts": "Count",
    "PayloadBytes": "Bytes",
    "DurationMs": "Milliseconds",
    "DecodeMs": "Milliseconds",
    "PreprocessMs": "Milliseconds",
    "InferenceMs": "Milliseconds",
    "Fallbacks": "Count",
    "Errors": "Count",
    "CostUSD": "None",
}
_OF_AN_ARM = ("Requests", "ClientErrors", "ServerErrors", "Fallbacks", "DurationMs", "InferenceMs")
_INIT_PARTS = ("python_ms", "import_ms")
_WARMED_PARTS = ("model_load_ms", "first_inference_ms")


class Meter:
    """Makes of what a log line says the line's metrics and its cost.

    Each combination of dimension values is a metric that costs money: routes and models are those that
    exist, codes those of the contract, customers those that `customers` lets through.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def fields(
        self, request: Request, status: int, duration_ms: float, spans: Mapping[str, float], line: Mapping[str, Any]
    ) -> dict[str, Any]:
        """What to add to the log line: customer and cost, and in Lambda the metrics."""
        customer = customer_of(request, self._settings.customers)
        added: dict[str, Any] = {"duration_ms": duration_ms}
        if customer.name:
            added["customer"] = customer.name
        if self._settings.memory_mb:
            billed_ms = duration_ms + (self._init_ms() if line.get("cold_start") else 0)
            added["cost_usd"] = round(cost_usd(billed_ms, self._settings.memory_mb, platform.machine()), 12)
        if not self._settings.function_name:
            return added
        values = {
            "Requests": 1,
            "ClientErrors": int(400 <= status < 500),
            "ServerErrors": int(status >= 500),
            "ColdStarts": int(line.get("cold_start", False)),
            "PayloadBytes": line.get("payload_bytes"),
            "DurationMs": duration_ms,
            **{f"{name.capitalize()}Ms": ms for name, ms in spans.items() if name != "total"},
        }
        dimensions = {"Route": request.path, "Model": line.get("model", NO_MODEL)}
        groups = [(dimensions, {name: value for name, value in values.items() if value is not None})]
        if "arm" in line:  # of an A/B test, which has two
            values["Fallbacks"] = int(line.get("fallback", False))
            if values["Fallbacks"]:
                values["InferenceMs"] = None  # the other arm's model took it
            arm = {"Experiment": line["experiment"], "Arm": line["arm"]}
            groups.append((arm, {name: values[name] for name in _OF_AN_ARM if values.get(name) is not None}))
        if status >= 400:
            groups.append(({"Code": line.get("code", str(status))}, {"Errors": 1}))
        if "cost_usd" in added:
            groups.append(({"Customer": customer.metric}, {"CostUSD": added["cost_usd"]}))
        return {**added, **embedded(f"Slimception/{self._settings.function_name}", groups)}

    def _init_ms(self) -> float:
        """Lambda has billed the INIT phase since August 2025: Python's start, imports, what is warmed there."""
        parts = _INIT_PARTS + (_WARMED_PARTS if self._settings.warm_in_init else ())
        return sum(ms for name, ms in cold_start.breakdown().items() if name in parts)


def embedded(namespace: str, groups: list[tuple[dict[str, str], dict[str, float]]]) -> dict[str, Any]:
    """The members of a log line that make metrics of it: each group's values under the group's dimensions."""
    members: dict[str, Any] = {}
    directives = []
    for dimensions, values in groups:
        members |= {name: _ascii(value) for name, value in dimensions.items()} | values
        metrics = [{"Name": name, "Unit": UNITS[name]} for name in values]
        directives.append({"Namespace": namespace, "Dimensions": [list(dimensions)], "Metrics": metrics})
    return {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}, **members}


def _ascii(value: str) -> str:
    """CloudWatch takes dimension values of 1 to 1,024 ASCII characters."""
    return value.encode("ascii", "replace").decode()[:1024] or NO_MODEL
