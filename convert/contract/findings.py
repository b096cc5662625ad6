"""What was found out about a model, where it is known from, and the usual ways to scale pixels."""

from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from chalicelib.inference.card import Color
from chalicelib.inference.evidence import Evidence

T = TypeVar("T")


class Finding(NamedTuple, Generic[T]):
    """A value, and why it is believed."""

    value: T
    kind: Evidence
    reason: str
    """One clause, for people."""

    def on_card(self, value: str) -> dict[str, Any]:
        """The form in which the card has it; `value` is the finding's value in words."""
        return {"value": value, "from": self.kind, "reason": self.reason}


@dataclass(frozen=True)
class Preprocess:
    """(value - mean) / std for each channel: value in 0..255, channels in the order of `color` (RGB, BGR or L)."""

    color: Color
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __str__(self) -> str:
        """In words: "RGB, (value - 127.5) / 127.5 (tf)"."""
        name = next((name for name, known in PREPROCESS.items() if known == self), None)
        return f"{self.color}, {_formula(self)}{f' ({name})' if name else ''}"


# Keras calls these by these names (keras.applications.imagenet_utils.preprocess_input), but for "unit" and "none".
PREPROCESS = {
    "tf": Preprocess("RGB", (127.5,) * 3, (127.5,) * 3),
    "torch": Preprocess("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "caffe": Preprocess("BGR", (103.939, 116.779, 123.68), (1.0,) * 3),
    "unit": Preprocess("RGB", (0.0,) * 3, (255.0,) * 3),
    "none": Preprocess("RGB", (0.0,) * 3, (1.0,) * 3),
}


def trained_with(name: str) -> Finding[Preprocess]:
    """The finding of whoever trained a model with the preprocessing of this name."""
    return Finding(PREPROCESS[name], "source", "it was trained so")


def _formula(preprocess: Preprocess) -> str:
    mean, std = _short(preprocess.mean), _short(preprocess.std)
    value = "value" if mean == "0" else f"(value - {mean})"
    return value if std == "1" else f"{value} / {std}"


def _short(values: tuple[float, ...]) -> str:
    texts = [f"{value:.7g}" for value in values]
    return texts[0] if len(set(texts)) == 1 else f"[{', '.join(texts)}]"
