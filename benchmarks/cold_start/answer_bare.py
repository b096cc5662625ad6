"""Run in a new process: the same job as a bare script, in one of three engines.

python -I -S -B answer_bare.py SITE_PACKAGES ENGINE MODEL PICTURE THREADS
"""

import sys
from typing import Any

site_packages, engine, model, picture, threads = sys.argv[1:]
sys.path.insert(0, site_packages)

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402

SIDE = 299


def decoded() -> Any:
    """The picture as the network's input, float32 (1, SIDE, SIDE, 3) in 0..1."""
    image = Image.open(picture)
    image.draft("RGB", (2 * SIDE, 2 * SIDE))
    return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)[None] / 255


def litert() -> Any:
    """LiteRT's interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=model, num_threads=int(threads))
    interpreter.allocate_tensors()
    given, wanted = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    pixels, (scale, zero_point) = decoded(), given["quantization"]
    if scale:
        pixels = np.clip(np.rint(pixels / scale) + zero_point, -128, 127).astype(given["dtype"])
    interpreter.set_tensor(given["index"], pixels)
    interpreter.invoke()
    return interpreter.get_tensor(wanted["index"])


def onnxruntime() -> Any:
    """ONNX Runtime's session."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: decoded()})[0]


def openvino() -> Any:
    """OpenVINO's compiled model."""
    import openvino as ov

    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": int(threads)})
    return compiled.create_infer_request().infer({0: decoded()})[0]


scores = {"litert": litert, "onnxruntime": onnxruntime, "openvino": openvino}[engine]()[0]
print([(int(i), float(scores[i])) for i in np.argsort(scores)[::-1][:5]])
print("answered", flush=True)
