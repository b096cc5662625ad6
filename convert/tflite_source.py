"""A .tflite file as a source. A float model can be quantised; a quantised one is served as it is."""

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from chalicelib.inference.preprocessing import dequantize, quantize
from convert.errors import ConvertError
from convert.graph import Graph
from convert.sources import PREPROCESS, Preprocess, Source, sha256_of
from convert.tflite_metadata import TfliteMetadata, read_metadata


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
        preprocess=_preprocess(metadata) or reference.preprocess_from_range(),
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
        self._input, self._output = inputs[0], outputs[0]
        height, width, channels = (int(n) for n in self._input["shape"][1:])
        self.input_shape, self.outputs = (height, width, channels), int(self._output["shape"].max())

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        """Preprocessed input, float32 (1, H, W, C), to the raw output, float (outputs,)."""
        encoded = quantize(tensor.astype(np.float64), np.dtype(self._input["dtype"]), *self._input["quantization"])
        self._interpreter.set_tensor(self._input["index"], encoded)
        self._interpreter.invoke()
        return dequantize(
            self._interpreter.get_tensor(self._output["index"]).reshape(-1), *self._output["quantization"]
        )

    def preprocess_from_range(self) -> Preprocess | None:
        """The preprocessing that an integer input implies by the range that its 256 steps span; None if unclear."""
        scale, zero_point = self._input["quantization"]
        if not scale:
            return None
        limits = np.iinfo(self._input["dtype"])
        low, high = (limits.min - zero_point) * scale, (limits.max - zero_point) * scale
        if abs(low + 1) < 0.1 and abs(high - 1) < 0.1:
            return PREPROCESS["tf"]
        if abs(low) < 0.1 and abs(high - 1) < 0.1:
            return Preprocess("RGB", (0.0,) * 3, (255.0,) * 3)
        return PREPROCESS["none"] if abs(low) < 2 and abs(high - 255) < 4 else None


def _preprocess(metadata: TfliteMetadata) -> Preprocess | None:
    if not metadata.mean or not metadata.std or len(metadata.mean) != len(metadata.std):
        return None
    return Preprocess("RGB", metadata.mean, metadata.std)
