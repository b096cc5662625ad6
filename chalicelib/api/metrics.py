"""CloudWatch metrics inside the log line, in the embedded metric format: no call is made for them.

Each combination of dimension values is a metric that costs money. So routes and models are those that exist, codes
those of `statuses`, and customers those that `customers` admits. Each byte of a line costs money, too: counters that
are 0 are left out, and units, which the metrics' names have.
Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".
"""

import platform
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from chalicelib.api.bodies import Request
from chalicelib.api.customers import customer_of
from chalicelib.api.record import RequestRecord
from chalicelib.config import Settings
from chalicelib.inference.classifier import FLOAT_MODEL, WITHOUT_DELEGATE
from chalicelib.pricing import cost_usd, restore_usd
from chalicelib.telemetry import cold_start

NO_MODEL = "none"
OF_WARNINGS = {WITHOUT_DELEGATE: "WithoutDelegate", FLOAT_MODEL: "FloatModel"}
"""A warning's code to its metric, which has no dimension: an alarm need not know the model's name."""
_OF_AN_ARM = ("Requests", "ClientErrors", "ServerErrors", "Fallbacks", "DurationMs", "InferenceMs")
_INIT_PARTS = ("python_ms", "import_ms")
_WARMED_PARTS = ("fetch_ms", "model_load_ms", "first_inference_ms")

Values = dict[str, float]


class Group(NamedTuple):
    """Values that share their dimensions."""

    dimensions: dict[str, str]
    values: Values


def metered(
    settings: Settings, request: Request, record: RequestRecord, spans: Mapping[str, float], duration_ms: float
) -> dict[str, Any]:
    """What measuring adds to the log line: customer and cost, and the durations, which are metrics in Lambda."""
    customer = customer_of(request, settings.customers)
    added: dict[str, Any] = {"customer": customer.name} if customer.name else {}
    if settings.memory_mb:
        added["cost_usd"] = round(_cost_usd(settings, settings.memory_mb, record, duration_ms), 12)
    if not settings.function_name:
        return {"spans_ms": spans, "duration_ms": duration_ms, **added}
    values = _values(record, spans, duration_ms)
    groups = [Group({"Route": request.path, "Model": record.model or NO_MODEL}, values)]
    if record.experiment and record.arm:
        groups.append(Group({"Experiment": record.experiment, "Arm": record.arm}, _of_arm(record, values)))
    if record.code:
        groups.append(Group({"Code": record.code}, {"Errors": 1}))
    if record.first_answer and "warnings" in record.first_answer:
        groups.append(Group({}, {OF_WARNINGS[code]: 1 for code in record.first_answer["warnings"]}))
    if "cost_usd" in added:
        groups.append(Group({"Customer": customer.metric}, {"CostUSD": added["cost_usd"]}))
    return {**added, **embedded(f"Slimception/{settings.function_name}", groups)}


def embedded(namespace: str, groups: list[Group]) -> dict[str, Any]:
    """The members of a log line that make metrics of it: each group's values under the group's dimensions."""
    members: dict[str, Any] = {}
    directives = []
    for dimensions, values in groups:
        members |= {name: _ascii(value) for name, value in dimensions.items()} | values
        metrics = [{"Name": name} for name in values]
        directives.append({"Namespace": namespace, "Dimensions": [list(dimensions)], "Metrics": metrics})
    return {"_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}, **members}


def _values(record: RequestRecord, spans: Mapping[str, float], duration_ms: float) -> Values:
    happened = {
        "ClientErrors": 400 <= record.status < 500,
        "ServerErrors": record.status >= 500,
        "ColdStarts": record.cold_start,
    }
    return {
        "Requests": 1,
        **{name: 1 for name, did in happened.items() if did},
        "DurationMs": duration_ms,
        **{f"{name.capitalize()}Ms": ms for name, ms in spans.items() if name != "total"},
    }


def _of_arm(record: RequestRecord, values: Values) -> Values:
    """The values that count for an arm. After a fallback the time of inference is the other arm's model's."""
    values = {**values, "Fallbacks": 1} if record.fallback else values
    left_out = {"InferenceMs"} if record.fallback else set()
    return {name: values[name] for name in _OF_AN_ARM if name in values and name not in left_out}


def _cost_usd(settings: Settings, memory_mb: int, record: RequestRecord, duration_ms: float) -> float:
    """Of the request; of a process's first answer with what its start costs, INIT or the restore of a snapshot."""
    architecture = platform.machine()
    if record.cold_start and settings.is_restored:
        return cost_usd(duration_ms, memory_mb, architecture) + restore_usd(memory_mb)
    return cost_usd(duration_ms + (_init_ms(settings) if record.cold_start else 0), memory_mb, architecture)


def _init_ms(settings: Settings) -> float:
    """The INIT phase, which Lambda has billed since August 2025: Python's start, imports, what is warmed there."""
    parts = _INIT_PARTS + (_WARMED_PARTS if settings.warm_in_init else ())
    return sum(ms for name, ms in cold_start.breakdown().items() if name in parts)


def _ascii(value: str) -> str:
    """CloudWatch takes dimension values of 1 to 1,024 ASCII characters."""
    return value.encode("ascii", "replace").decode()[:1024] or NO_MODEL
