"""A loaded model: a picture's bytes in, ranked labels out."""

import threading
import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.errors import InvalidRequest, ModelError, shown
from chalicelib.inference import images
from chalicelib.inference.card import OutputSpec
from chalicelib.inference.engine import FOR_8_BITS, Delegated, Engine, delegated, processor_features
from chalicelib.inference.preprocessing import InputEncoder, dequantize
from chalicelib.inference.registry import Bundle
from chalicelib.telemetry import ColdStart, Spans, milliseconds_since

DEFAULT_TOP_K = 5
WITHOUT_DELEGATE, FLOAT_MODEL = "without_delegate", "float_model"
"""What `Classifier.warnings` names. The words for it are in `api.health`."""


class Prediction(NamedTuple):
    """One label with its score: `index` is the line of labels.txt, counted from 0; `score` is in 0..1."""

    index: int  # type: ignore[assignment]  # of a tuple, it would be a method
    label: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """As the API's responses and the batch's results have it."""
        return {"index": self.index, "label": self.label, "score": rounded_score(self.score)}


def rounded_score(score: float) -> float:
    """A score as it is written everywhere: with six decimals."""
    return round(score, 6)


def check_top_k(top_k: Any, classes: int) -> int:
    """`top_k`, or the default for None.

    Raises InvalidRequest for all but whole numbers of at least 1, which a message on a queue may hold as well, and if
    the model has fewer `classes`.
    """
    if top_k is None:
        return min(DEFAULT_TOP_K, classes)
    if type(top_k) is not int or top_k < 1:
        raise InvalidRequest(f'"top_k" is {shown(top_k)}: expected a whole number of at least 1')
    if top_k > classes:
        raise InvalidRequest(f'"top_k" is {shown(top_k)}: this model has {classes} classes')
    return top_k


class Classifier:
    """One interpreter and its card. Safe to share between threads.

    An interpreter is not thread-safe, so a lock guards set, invoke and get. One interpreter with all of the
    machine's threads is as fast as several with one thread each, and takes the memory of one.
    """

    def __init__(self, bundle: Bundle, engine: Engine, num_threads: int, cold_start: ColdStart | None = None) -> None:
        """Load the model and check it against its card; raises ModelError.

        `cold_start` records `first_inference_ms`; None: nobody reads it.
        """
        self.card, self.labels, self.engine, self.num_threads = bundle.card, bundle.labels, engine, num_threads
        self._cold_start = cold_start or ColdStart()
        self._lock = threading.Lock()
        try:
            self._interpreter = engine.load(bundle.model_path, num_threads)
        except Exception as error:
            raise ModelError(f"model {self.card.name!r} does not load in {engine.name} {engine.version}") from error
        self._input, self._output = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._check_shapes()
        self._input, self._output = self._input[0], self._output[0]
        self._encoder = InputEncoder(self.card.input, np.dtype(self._input["dtype"]), *self._input["quantization"])

    def classify(self, data: bytes, top_k: int, spans: Spans) -> list[Prediction]:
        """The `top_k` best labels of the picture in `data`, best first.

        Raises the errors of `images.pixels_of` and those of `scores`. The spans are decode, preprocess and inference.
        """
        pixels = images.pixels_of(data, self.card.input, spans)
        with spans.measure("inference"):
            scores = self.scores(pixels)
        return [Prediction(i, self.labels[i], float(scores[i])) for i in rank(scores, top_k)]

    def warm(self) -> None:
        """Classify a grey picture: raises ModelError if the model does not work, and makes the next inference fast."""
        self.scores(np.full(self._pixels_shape(), 127, np.uint8))

    def delegated(self) -> Delegated | None:
        """How much of the graph XNNPACK holds; None if the engine does not show it. It takes 0.2 ms."""
        with self._lock:
            return delegated(self._interpreter)

    def warnings(self, held: Delegated | None) -> list[str]:
        """Why this model is slower here than it need be; `held` is what `delegated` returned.

        WITHOUT_DELEGATE: XNNPACK holds nothing of the graph. FLOAT_MODEL: it computes in float on a processor that is
        several times faster in 8 bits. tflite-runtime is not, since it has no XNNPACK for 8 bits.
        """
        is_float = self.card.quantization in ("float32", "float16") and self.engine.name == "litert"
        found = {
            WITHOUT_DELEGATE: held is not None and held.partitions == 0,
            FLOAT_MODEL: is_float and not set(FOR_8_BITS).isdisjoint(processor_features()),
        }
        return [code for code, holds in found.items() if holds]

    def scores(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        """uint8 (height, width, channels) to one score for each label, float64 (classes,), each in 0..1.

        Raises ModelError if the model gives NaN or infinity.
        """
        began = time.perf_counter()
        tensor = self._encoder.encode(pixels).reshape(
            self._input["shape"]
        )  # some models have no dimension for the batch
        with self._lock:
            self._interpreter.set_tensor(self._input["index"], tensor)
            self._interpreter.invoke()
            raw = self._interpreter.get_tensor(self._output["index"])
        self._cold_start.record("first_inference_ms", milliseconds_since(began))
        output = dequantize(raw.reshape(-1), *self._output["quantization"])
        if not np.isfinite(output).all():
            raise ModelError(f"model {self.card.name!r} answers with values that are not numbers")
        return scores_of(output, self.card.output)

    def _pixels_shape(self) -> tuple[int, int, int]:
        spec = self.card.input
        return (spec.height, spec.width, spec.channels)

    def _check_shapes(self) -> None:
        _expect(self.card.name, "input", self._input, (1, *self._pixels_shape()))
        _expect(self.card.name, "output", self._output, (1, self.card.output.outputs))


def _expect(name: str, side: str, details: list[dict[str, Any]], shape: tuple[int, ...]) -> None:
    found = [tuple(int(n) for n in tensor["shape"]) for tensor in details]
    if len(found) != 1 or [n for n in found[0] if n != 1] != [n for n in shape if n != 1]:
        raise ModelError(f"model {name!r} has {side} {found}, its card and labels say {shape}")


def scores_of(output: NDArray[np.float64], spec: OutputSpec) -> NDArray[np.float64]:
    """What a model returns, float64 (`spec.outputs`,), as one score for each label, float64 (classes,)."""
    if spec.scores == "logits":
        output = softmax(output)
    elif spec.scores == "sigmoid":
        output = sigmoid(output)
    if spec.binary:
        return np.array([1 - output[0], output[0]])
    return output[spec.label_offset :]


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)) of each value, by the logarithm of its divisor, so that nothing overflows."""
    scores: NDArray[np.float64] = np.exp(-np.logaddexp(0.0, -logits))
    return scores


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """exp(x) / sum(exp(x)), shifted by the maximum so that nothing overflows."""
    powers: NDArray[np.float64] = np.exp(logits - logits.max())
    powers /= powers.sum()
    return powers


def rank(scores: NDArray[np.float64], top_k: int) -> list[int]:
    """Indices of the `top_k` largest scores, best first; of equal scores the lower index comes first."""
    return [int(i) for i in np.argsort(-scores, kind="stable")[:top_k]]
