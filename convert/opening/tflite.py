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
from convert.opening.forms import form_of
from convert.opening.tflite_forms import Fitted, fitted
from convert.opening.tflite_metadata import TfliteMetadata, read_metadata
from convert.options import Options
from convert.sources import Source, sha256_of


def open_tflite(path: Path, options: Options) -> Source:
    """Read a .tflite classifier; raises ConvertError for anything else."""
    try:
        return _source(path, options)
    except ConvertError as error:
        raise ConvertError(f"{path}: {error}") from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RuntimeError, MemoryError) as error:
        # what a damaged reference inside of the file happens to hit
        raise ConvertError(f"{path} is damaged: download or export it again") from error


def _source(path: Path, options: Options) -> Source:
    data = path.read_bytes()
    graph = Graph(data)
    fit = fitted(graph, options)
    reference = Reference(data, fit)
    metadata = read_metadata(data, graph)
    return Source(
        name=path.stem,
        tflite=fit.graph.serialize() if fit.is_changed else data,
        input_shape=fit.form.shape,
        outputs=fit.classes,
        scores=reference,
        origin={"kind": "tflite", "file": path.name, "sha256": sha256_of(path)},
        pixels=_pixels(metadata, reference) or flat.pixels_of(fit.graph, fit.form.shape),
        labels=metadata.labels,
        notes=fit.notes,
    )


class Reference:
    """A graph as a file has it, run with float input and output whatever form and types its tensors have."""

    def __init__(self, data: bytes, fit: Fitted | None = None) -> None:
        """Load the .tflite file and run it once; raises ConvertError.

        `fit` is what `fitted` found in the file. Without it the file needs one input of fixed size and one output.
        """
        try:
            self._interpreter = Interpreter(model_content=data)
            given = self._interpreter.get_input_details()[0]
            self._shape = fit.own_shape if fit else given["shape"].tolist()
            if given["shape"].tolist() != self._shape:
                self._interpreter.resize_tensor_input(given["index"], self._shape)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ConvertError(
                "LiteRT cannot load the model: it is damaged or uses operators of TensorFlow; "
                "download it again, or convert it without SELECT_TF_OPS"
            ) from error
        self.input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[fit.output if fit else 0]
        self._form = fit.form if fit else form_of(tuple(self._shape), None)
        self.input_shape = self._form.shape
        self.outputs = fit.classes if fit else int(self._output["shape"].prod())
        try:
            self(np.zeros((1, *self.input_shape), np.float32))
        except (ValueError, RuntimeError) as error:
            raise ConvertError(
                f"LiteRT cannot run the model: {' '.join(str(error).split())[:300].rstrip('.')}. "
                "Export it in float32, with a fixed size"
            ) from error

    def __call__(self, tensor: NDArray[np.float32]) -> NDArray[Any]:
        """Preprocessed input, float32 (1, H, W, C), to the raw output, float (outputs,)."""
        own, shape = self._form.to_model(tensor), self._shape
        batch = np.broadcast_to(own, (shape[0], *own.shape[1:])) if len(shape) == own.ndim else own.reshape(shape)
        encoded = quantize(batch.astype(np.float64), np.dtype(self.input["dtype"]), *self.input["quantization"])
        self._interpreter.set_tensor(self.input["index"], encoded)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._output["index"]).reshape(-1)[: self.outputs]
        return dequantize(raw, *self._output["quantization"])


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
