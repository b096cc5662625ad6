"""A .tflite file as a source. A float model can be quantised; a quantised one is served as it is."""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from chalicelib.inference.preprocessing import dequantize, quantize
from convert.contract import flat
from convert.contract.findings import PREPROCESS, Finding, Preprocess
from convert.errors import ConvertError
from convert.graph import Graph
from convert.opening.tflite_metadata import TfliteMetadata, read_metadata
from convert.sources import Source, sha256_of


def open_tflite(path: Path) -> Source:
    """Read a .tflite classifier; raises ConvertError for anything else."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConvertError(f"cannot read {path}: {error.strerror}") from error
    try:
        graph, reference = Graph(data), Reference(data)
    except ConvertError as error:
        raise ConvertError(f"{path}: {error}") from error
    metadata = read_metadata(data, graph)
    return Source(
        name=path.stem,
        tflite=data,
        input_shape=reference.input_shape,
        outputs=reference.outputs,
        scores=reference,
        origin={"kind": "tflite", "file": path.name, "sha256": sha256_of(path)},
        pixels=_pixels(metadata, reference) or flat.pixels_of(graph, reference.input_shape),
        labels=metadata.labels,
    )


class Reference:
    """The source model, run with float input and output whatever types its tensors have."""

    def __init__(self, data: bytes) -> None:
        """Load the .tflite file and check that it is an image classifier; raises ConvertError."""
        try:
            self._interpreter = Interpreter(model_content=data)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConvertError(
                "LiteRT cannot load the model: it is damaged or uses operators of TensorFlow; "
                "download it again, or convert it without SELECT_TF_OPS"
            ) from error
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        if len(inputs) != 1 or len(inputs[0]["shape"]) != 4 or inputs[0]["shape"][0] != 1:
            raise ConvertError(
                f"the inputs are {[t['shape'].tolist() for t in inputs]}: "
                "an image classifier has one of shape (1, H, W, C); convert such a model"
            )
        if len(outputs) != 1 or outputs[0]["shape"].prod() != outputs[0]["shape"].max():
            raise ConvertError(
                f"the outputs are {[t['shape'].tolist() for t in outputs]}: "
                "a classifier has one of shape (1, classes); convert such a model"
            )
        self.input, self._output = inputs[0], outputs[0]
        height, width, channels = (int(n) for n in self.input["shape"][1:])
        self.input_shape, self.outputs = (height, width, channels), int(self._output["shape"].max())

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        """Preprocessed input, float32 (1, H, W, C), to the raw output, float (outputs,)."""
        encoded = quantize(tensor.astype(np.float64), np.dtype(self.input["dtype"]), *self.input["quantization"])
        self._interpreter.set_tensor(self.input["index"], encoded)
        self._interpreter.invoke()
        return dequantize(
            self._interpreter.get_tensor(self._output["index"]).reshape(-1), *self._output["quantization"]
        )


def _pixels(metadata: TfliteMetadata, reference: Reference) -> Finding[Preprocess] | None:
    """What the metadata, or else the type and range of the input say.

    Metadata of an integer input with mean 0 and deviation 1 say that the pixels' bytes are the input's bytes. Source:
    TensorFlow Lite's documentation of NormalizationOptions, whose quantised examples are so.
    """
    dtype, (scale, zero_point) = np.dtype(reference.input["dtype"]), reference.input["quantization"]
    is_integer = np.issubdtype(dtype, np.integer)
    if metadata.mean and metadata.std and len(metadata.mean) == len(metadata.std):
        if not (is_integer and set(metadata.mean) == {0.0} and set(metadata.std) == {1.0}):
            return Finding(Preprocess("RGB", metadata.mean, metadata.std), "metadata", "the file's metadata say so")
        if scale:
            return Finding(
                _as_bytes(dtype, scale, zero_point), "metadata", "the file's metadata say: bytes as they are"
            )
    if not is_integer:
        return None
    if not scale:
        return Finding(PREPROCESS["none"], "tensor", f"the input is {dtype.name} and not quantised")
    limits = np.iinfo(dtype)
    low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
    if known := flat.known_range(low, high):
        return Finding(known, "tensor", f"the input's {dtype.name} values mean {low:.3g}..{high:.3g}")
    if limits.max - limits.min != 255:
        return None
    reason = f"the bytes of the pixels are taken as the input's {dtype.name} values, which mean {low:.3g}..{high:.3g}"
    return Finding(_as_bytes(dtype, scale, zero_point), "assumption", reason)


def _as_bytes(dtype: np.dtype[Any], scale: float, zero_point: int) -> Preprocess:
    """The preprocessing that quantisation turns back into the pixels' bytes."""
    return Preprocess("RGB", (float(zero_point - np.iinfo(dtype).min),) * 3, (1 / scale,) * 3)
