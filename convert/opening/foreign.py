"""Files that are no model which can be converted: what they are, and the lines that make one of them that can."""

from pathlib import Path
from typing import NamedTuple

from convert.errors import ConvertError


class Foreign(NamedTuple):
    """A kind of file."""

    what: str
    """With its article."""
    remedy: str
    """What to do, in one line. `{path}` stands for the file."""


_AGAIN = "download it again, whole"
_EXPORT = "export it to ONNX or TensorFlow first"
_TORCH = (
    "load it in Python where the network is defined, then (pip install litert-torch, in an environment for it alone): "
    "litert_torch.convert(model.eval(), (torch.zeros(1, 3, 224, 224),)).export('model.tflite'), with the size of its "
    "training; and convert model.tflite with --preprocess torch, if it was trained so"
)
_KERAS_WHOLE = "save the whole model where it is built: model.save('model.keras')"
FOREIGN = {
    "empty": Foreign("an empty file, or holds nothing but zeros", _AGAIN),
    "git_lfs": Foreign(
        "a pointer of Git LFS and not the file itself", "run `git lfs pull` in its repository, or download the raw file"
    ),
    "web_page": Foreign(
        "a web page and not a model",
        "download the file itself: on GitHub with 'Download raw file', not the page about it",
    ),
    "text": Foreign("a text and not a model", "give the model that was saved, not the code or the list beside it"),
    "json": Foreign("JSON, but not TensorFlow.js's model.json", "give the model that was saved"),
    "document": Foreign("a document and not a model", "give the model that was saved"),
    "picture": Foreign(
        "a picture or a video", "give the model as SOURCE, and pictures with --validation DIR or --calibration DIR"
    ),
    "archive": Foreign(
        "packed (tar, gzip, 7z, rar or another archive)",
        "unpack it, for example `tar -xf {path}`, and give what is in it",
    ),
    "encrypted_zip": Foreign("an encrypted zip", "unpack it with its password, and give what is in it"),
    "damaged_zip": Foreign("a zip that is damaged or cut off", _AGAIN),
    "damaged_hdf5": Foreign("an HDF5 file that is damaged or cut off", _AGAIN),
    "h5": Foreign("an HDF5 file without a Keras model", _KERAS_WHOLE),
    "keras_weights": Foreign(
        "the weights of a Keras model without the model",
        "build the network, model.load_weights('{path}'), model.save('model.keras') and convert that; "
        "weights of an application are given with its name: --weights {path}",
    ),
    "keras_json": Foreign(
        "the architecture of a Keras model without its weights",
        "keras.models.model_from_json(open('{path}').read()), then load_weights and save('model.keras')",
    ),
    "checkpoint": Foreign(
        "a TensorFlow checkpoint, which has weights and no network",
        "build the network, load the weights (model.load_weights, or tf.train.Checkpoint(model=model).restore), "
        "then model.export('DIR') and convert DIR",
    ),
    "frozen_graph": Foreign(
        "a frozen TensorFlow graph (GraphDef)",
        "convert it with its input's and output's names, which netron.app shows: "
        "tf.compat.v1.lite.TFLiteConverter.from_frozen_graph('{path}', ['input'], ['output']).convert(), "
        "write the bytes to model.tflite and convert that",
    ),
    "tfjs_graph": Foreign(
        "a TensorFlow.js graph model, which is frozen for browsers",
        "convert the Keras model or SavedModel that it was made from; only layers models can be read back",
    ),
    "tfjs_weights": Foreign("a part of a TensorFlow.js model", "give the model.json beside it"),
    "onnx": Foreign(
        "an ONNX model",
        "convert it in an environment for it alone, of Python 3.12 or later: "
        "`pip install onnx2tf && onnx2tf -i {path} -b 1 -o converted`, then give converted/{stem}_float32.tflite, with "
        "--preprocess torch if it was trained so",
    ),
    "onnxruntime": Foreign("a model of ONNX Runtime (.ort)", "convert the ONNX model that it was made from"),
    "pytorch": Foreign("a file of PyTorch, which holds weights or foreign code and is not run", _TORCH),
    "torchscript": Foreign("a TorchScript program", _TORCH),
    "torch_export": Foreign("a program of torch.export (.pt2)", _TORCH),
    "executorch": Foreign("a program of ExecuTorch (.pte)", "export the PyTorch model that it was made from"),
    "safetensors": Foreign("weights (safetensors) without the network", _TORCH),
    "sklearn": Foreign(
        "a pickle of scikit-learn, which could run foreign code and is not opened",
        "scikit-learn's models take rows of features, not pictures: they are not served; train a Keras model",
    ),
    "pickle": Foreign(
        "a pickle, which could run foreign code and is not opened", f"if it holds a Keras model, {_KERAS_WHOLE}"
    ),
    "joblib": Foreign(
        "compressed by joblib or zlib, perhaps a pickle, and is not opened",
        f"if it holds a Keras model, {_KERAS_WHOLE}",
    ),
    "numpy": Foreign("arrays of NumPy", f"if they are weights, build the network, set them, and {_KERAS_WHOLE}"),
    "coreml": Foreign("a Core ML model", "it cannot be converted back: convert the model that it was made from"),
    "openvino": Foreign("an OpenVINO model", "it cannot be converted back: convert the model that it was made from"),
    "tensorrt": Foreign("a TensorRT engine, which runs on one kind of GPU", "convert the model that it was built from"),
    "caffe": Foreign("a Caffe model", _EXPORT),
    "gguf": Foreign("a language model (GGUF)", "only image classifiers are served"),
    "litert_lm": Foreign("a language model (LiteRT-LM)", "only image classifiers are served"),
    "edge_tpu": Foreign(
        "compiled for the Edge TPU", "give the .tflite file before the compiler, without _edgetpu in its name"
    ),
    "unknown": Foreign(
        "no model that is known here",
        "give a Keras model (.keras, .h5), a .tflite file, a SavedModel's folder, a TensorFlow.js model.json, "
        "or a zip of one of these",
    ),
}
"""By the kind that `kinds.kind_of` names."""


def refusal(path: Path, kind: str) -> ConvertError:
    """The error for a file of a kind in FOREIGN."""
    found = FOREIGN[kind]
    remedy = found.remedy.replace("{path}", str(path)).replace("{stem}", path.stem)
    return ConvertError(f"{path} is {found.what}: {remedy}")
