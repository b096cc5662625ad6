"""Each engine behind one call. Its own Python imports this file, so it needs NumPy and nothing of this project.

An engine takes a model's path and a number of threads. It gives back the input's shape and three functions: `encode`, a
picture, float32 (1, H, W, C), to what the engine is fed with; `run`, that to the raw output; `decode`, that to float
scores (classes,). What is measured is `run`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Prepared(NamedTuple):
    """A loaded model."""

    shape: tuple[int, ...]
    encode: Callable[[NDArray[np.float32]], Any]
    run: Callable[[Any], Any]
    decode: Callable[[Any], NDArray[Any]]

    def scores(self, picture: NDArray[np.float32]) -> NDArray[Any]:
        """The model's output, float (classes,): logits or probabilities, as the model has them."""
        return self.decode(self.run(self.encode(picture)))


def litert(path: str, threads: int) -> Prepared:
    """LiteRT."""
    from ai_edge_litert.interpreter import Interpreter

    return _interpreted(Interpreter(model_path=path, num_threads=threads))


def tflite_runtime(path: str, threads: int) -> Prepared:
    """The last release of tflite-runtime, which LiteRT continues."""
    from tflite_runtime.interpreter import Interpreter

    return _interpreted(Interpreter(model_path=path, num_threads=threads))


def tensorflow(path: str, threads: int) -> Prepared:
    """TensorFlow's own interpreter of .tflite files."""
    import tensorflow as tf

    return _interpreted(tf.lite.Interpreter(model_path=path, num_threads=threads))


def keras(path: str, threads: int) -> Prepared:
    """The network before conversion, in Keras; the file names the converter's source."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from convert.opening.opened import opened
    from convert.options import Options

    with opened(Options(**json.loads(Path(path).read_text(encoding="utf-8")))) as source:
        return Prepared((1, *source.input_shape), _as_it_is, source.scores, _first)


def onnxruntime(path: str, threads: int) -> Prepared:
    """ONNX Runtime on the processor."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    given = session.get_inputs()[0]
    return Prepared(given.shape, _as_it_is, lambda picture: session.run(None, {given.name: picture})[0], _first)


def openvino(path: str, threads: int) -> Prepared:
    """OpenVINO on the processor, one request at a time."""
    import openvino as ov

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    compiled = ov.Core().compile_model(path, "CPU", settings)
    request = compiled.create_infer_request()
    return Prepared(compiled.input(0).shape, _as_it_is, lambda picture: request.infer({0: picture})[0], _first)


ENGINES = {engine.__name__: engine for engine in (litert, tflite_runtime, tensorflow, keras, onnxruntime, openvino)}


def _interpreted(interpreter: Any) -> Prepared:
    """The interpreter's tensors, quantised as they say themselves."""
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def encode(picture: NDArray[np.float32]) -> NDArray[Any]:
        dtype, (scale, zero_point) = given["dtype"], given["quantization"]
        if not scale:
            return picture.astype(dtype)
        limits = np.iinfo(dtype)
        encoded: NDArray[Any] = np.clip(np.rint(picture / scale) + zero_point, limits.min, limits.max).astype(dtype)
        return encoded

    def run(encoded: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_tensor(given["index"], encoded)
        interpreter.invoke()
        found: NDArray[Any] = interpreter.get_tensor(wanted["index"])
        return found

    def decode(raw: NDArray[Any]) -> NDArray[Any]:
        scale, zero_point = wanted["quantization"]
        return _first((raw.astype(np.float64) - zero_point) * scale if scale else raw)

    return Prepared(tuple(given["shape"]), encode, run, decode)


def _as_it_is(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return picture


def _first(output: Any) -> NDArray[Any]:
    return np.array(output, np.float64).reshape(-1)
