"""The answer of `GET /health` while the default model answers: what serves it, what is assumed, what makes it slow."""

import platform
from typing import Any

from chalicelib.api.ab_test import AbTest
from chalicelib.inference import evidence
from chalicelib.inference.classifier import FLOAT_MODEL, WITHOUT_DELEGATE, Classifier
from chalicelib.inference.engine import FOR_8_BITS, Delegated
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start

MAX_NAMES = 8
"""Names of operators that are shown at most, so that no graph makes the answer long."""


def describe(store: ModelStore, classifier: Classifier, ab_test: AbTest | None) -> dict[str, Any]:
    """The answer's content. Warnings do not change its status: the model answers, perhaps wrongly or slowly."""
    held, runtime = classifier.delegated(), store.runtime(classifier)
    return {
        "status": "ok",
        "model": classifier.card.to_dict(),
        "runtime": runtime,
        "delegate": held and _shown(held),
        "warnings": [
            *evidence.assumptions(classifier.card.contract),
            *(SENTENCES[code](classifier, runtime["features"]) for code in classifier.warnings(held)),
        ],
        "cold_start": cold_start.breakdown(),
        **store.origin(classifier.card.name),
        **({"experiment": ab_test.health()} if ab_test else {}),
    }


def _shown(held: Delegated) -> dict[str, Any]:
    return {
        "partitions": held.partitions,
        "operators": held.operators,
        "outside": held.outside_count,
        "outside_names": dict(list(held.outside.items())[:MAX_NAMES]),
    }


def _without_delegate(classifier: Classifier, _: list[str]) -> str:
    if classifier.engine.name != "litert":
        remedy = f"{classifier.engine.name} gives it few models in 8 bits: install LiteRT (ENGINE=litert)"
    elif platform.machine() == "aarch64":
        remedy = (
            "it does not start without /sys/devices/system/cpu, which Lambda lacks on arm64: set LD_PRELOAD to the "
            "library in the arm64 layer that stands in for it, and run `python -m layers check`"
        )
    else:
        remedy = "convert the model again (`python -m convert`), and run `python -m layers check`"
    return f"model {classifier.card.name!r} runs without XNNPACK and is several times slower than with it; {remedy}"


def _float_model(classifier: Classifier, features: list[str]) -> str:
    card, able = classifier.card, ", ".join(name for name in features if name in FOR_8_BITS)
    return (
        f"model {card.name!r} computes in {card.quantization}, and this processor ({able}) takes about a third of the "
        "time in 8 bits: convert the float32 source with `python -m convert SOURCE --quantize dynamic`"
    )


SENTENCES = {WITHOUT_DELEGATE: _without_delegate, FLOAT_MODEL: _float_model}
"""A warning's code to what it means for a model on a processor with some features, and what to do about it."""
