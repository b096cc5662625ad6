"""Run by OpenVINO's own Python: a float .tflite model to OpenVINO's form, in float32 and in int8 by NNCF.

python -m benchmarks.peers.quantize_openvino FLOAT.tflite CALIBRATION.npy FLOAT32.xml INT8.xml
"""

import sys

import nncf
import numpy as np
import openvino as ov


def main() -> None:
    """Convert and quantise once. NNCF's defaults: symmetric weights by channel, ranges of activations by mean."""
    model, pictures, float32, int8 = sys.argv[1:]
    read = ov.Core().read_model(model)
    ov.save_model(read, float32, compress_to_fp16=False)
    given = np.load(pictures)
    samples = nncf.Dataset([given[i : i + 1] for i in range(len(given))])
    ov.save_model(nncf.quantize(read, samples, subset_size=len(given)), int8, compress_to_fp16=False)


if __name__ == "__main__":
    main()
