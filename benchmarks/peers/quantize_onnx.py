"""Run by ONNX Runtime's own Python: a float ONNX model to int8, calibrated on pictures.

python -m benchmarks.peers.quantize_onnx FLOAT.onnx CALIBRATION.npy INT8.onnx ARCHITECTURE

Each tensor's range is a moving average of the least and the largest values of each picture, and each channel of the
weights has its own scale. On x86_64 activations are unsigned and the weights keep 7 bits: on AVX2 the sums of products
of 8 bits overflow. Of all that was tried (docs/decisions/engine-onnx.md) this agrees best. On arm64 activations are
signed, which takes the fewest instructions there (ONNX Runtime's documentation, "Quantize ONNX models").
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, pictures: str) -> None:
        given = np.load(pictures)
        self._rest = ({name: given[i : i + 1]} for i in range(len(given)))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._rest, None)


def main() -> None:
    """Quantise once."""
    model, pictures, out, architecture = sys.argv[1:]
    on_x86 = architecture == "x86_64"
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder, "prepared.onnx")
        quant_pre_process(model, prepared, skip_symbolic_shape=True)
        name = onnx.load(prepared, load_external_data=False).graph.input[0].name
        quantize_static(
            prepared,
            out,
            _Pictures(name, pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=on_x86,
            activation_type=QuantType.QUInt8 if on_x86 else QuantType.QInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True, "CalibMovingAverageConstant": 0.02},
        )


if __name__ == "__main__":
    main()
