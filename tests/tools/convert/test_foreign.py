"""Each file that is no model of a kind that is read is named by its content, with what to do; none is opened."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from convert.errors import ConvertError
from convert.opening.content import content_of
from convert.opening.foreign import FOREIGN
from tests.support import pictures
from tests.tools.convert.small import SIDE_PX, logits, picture, saved_model

TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""Of torch.save before version 1.6. Source: torch/serialization.py."""


def zipped(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return file.getvalue()


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """A protobuf message of varints and of fields with a length, each below 128."""
    return b"".join(
        bytes([number << 3, value]) if isinstance(value, int) else tag(number, 2) + bytes([len(value)]) + value
        for number, value in fields
    )


def tag(number: int, wire_type: int) -> bytes:
    value, out = number << 3 | wire_type, b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


class Harmful:
    """If it is unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def hdf5(**attributes: str) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        weights.attrs.update(attributes)
        weights["x"] = np.zeros(3)
    return file.getvalue()


def frozen_graph() -> bytes:
    function = tf.function(logits, input_signature=[picture(1, SIDE_PX, SIDE_PX, 3)])
    return bytes(function.get_concrete_function().graph.as_graph_def().SerializeToString())


def npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.zeros(3))
    return file.getvalue()


def tar(data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo("model.h5")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped(a_dot_h5=b"x"))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    return bytes(data)


SAFETENSORS = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "an empty file"),
    "zeros": (lambda: bytes(4096), "an empty file"),
    "Git LFS": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    "page": (lambda: b"\n <!DOCTYPE html>\n<html><body>404</body></html>", "a web page"),
    "page of S3": (lambda: b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "a web page"),
    "code": (lambda: b"import keras\nmodel = keras.Sequential()\n", "a text and not a model"),
    "JSON": (lambda: b'{"a": 1}', "JSON, but not TensorFlow.js's model.json"),
    "architecture": (lambda: json.dumps({"class_name": "Sequential", "config": {}}).encode(), "model_from_json"),
    "graph model": (
        lambda: json.dumps({"format": "graph-model", "modelTopology": {"node": []}}).encode(),
        "a TensorFlow.js graph model",
    ),
    "picture": (lambda: pictures.encode(pictures.quarters()), "a picture or a video"),
    "tar": (lambda: tar(b"x"), "`tar -xf {path}`"),
    "tar.gz": (lambda: gzip.compress(tar(b"x")), "packed (tar, gzip"),
    "7z": (lambda: b"7z\xbc\xaf\x27\x1c" + bytes(range(64)), "packed (tar, gzip"),
    "encrypted zip": (encrypted, "an encrypted zip"),
    "cut zip": (lambda: zipped(a=bytes(500))[:300], "a zip that is damaged or cut off"),
    "ONNX": (
        lambda: message((1, 8), (2, b"pytorch"), (3, b"2.13"), (7, b"graph"), (8, b"\x10\x11")),
        "`pip install onnx2tf && onnx2tf -i {path} -b 1 -o converted`, then give converted/{stem}_float32.tflite",
    ),
    "PyTorch": (lambda: zipped(archive__data_dot_pkl=b"\x80\x02}", archive__version=b"3"), "litert_torch.convert"),
    "old PyTorch": (lambda: pickle.dumps(TORCH_MAGIC, 2) + pickle.dumps({}, 2), "litert_torch.convert"),
    "TorchScript": (
        lambda: zipped(m__data_dot_pkl=b"\x80\x02}", m__constants_dot_pkl=b"\x80\x02}"),
        "a TorchScript program",
    ),
    "torch.export": (lambda: zipped(m__archive_format=b"pt2", m__version=b"1"), "a program of torch.export"),
    "ExecuTorch": (lambda: b"\x20\0\0\0ET12" + bytes(range(64)), "a program of ExecuTorch"),
    "ONNX Runtime": (lambda: b"\x20\0\0\0ORTM" + bytes(range(64)), "a model of ONNX Runtime"),
    "safetensors": (lambda: struct.pack("<Q", len(SAFETENSORS)) + SAFETENSORS + bytes(4), "weights (safetensors)"),
    "Keras 2 weights": (lambda: hdf5(layer_names="x", keras_version="2.15.0"), "the weights of a Keras model"),
    "HDF5": (hdf5, "an HDF5 file without a Keras model"),
    "cut HDF5": (lambda: hdf5()[:100], "an HDF5 file that is damaged"),
    "frozen graph": (frozen_graph, "from_frozen_graph('{path}', ['input'], ['output'])"),
    "Caffe": (lambda: message((1, b"net"), (100, b"layer")), "a Caffe model"),
    "Core ML": (lambda: message((1, 4), (2, b"about"), (500, b"network")), "a Core ML model"),
    "Core ML package": (
        lambda: zipped(m__Manifest_dot_json=b"{}", m__Data__com_dot_apple_dot_CoreML__model=b"x"),
        "a Core ML model",
    ),
    "OpenVINO": (lambda: b'<?xml version="1.0"?>\n<net name="m" version="11"></net>', "an OpenVINO model"),
    "TensorRT": (lambda: b"ftrt" + bytes(range(64)), "a TensorRT engine"),
    "scikit-learn": (lambda: b"\x80\x04\x95csklearn.ensemble._forest\nRandomForestClassifier", "rows of features"),
    "pickle": (lambda: pickle.dumps({"a": 1}), "a pickle, which could run foreign code"),
    "npz": (npz, "arrays of NumPy"),
    "npy": (lambda: b"\x93NUMPY\1\0" + bytes(range(64)), "arrays of NumPy"),
    "GGUF": (lambda: b"GGUF\3\0\0\0" + bytes(range(64)), "a language model (GGUF)"),
    "checkpoint's list": (lambda: b'model_checkpoint_path: "model.ckpt-100"\n', "a TensorFlow checkpoint"),
    "checkpoint's index": (lambda: bytes(range(90)) + bytes.fromhex("57fb808b247547db"), "a TensorFlow checkpoint"),
    "document": (lambda: b"%PDF-1.7\n", "a document and not a model"),
    "any bytes": (lambda: bytes(range(255, 0, -1)) * 4, "no model that is known here"),
    "a message of others": (lambda: FileDescriptorProto(package="a", syntax="b").SerializeToString(), "no model"),
}


@pytest.mark.parametrize("name", ["model", "MODEL.KERAS", "model.tflite"])
@pytest.mark.parametrize(("make", "expected"), FILES.values(), ids=FILES)
def test_a_foreign_file_is_named_whatever_it_is_called(
    make: Callable[[], bytes], expected: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    with pytest.raises(ConvertError) as error, content_of(path):
        pass
    assert expected.format(path=path, stem=path.stem) in str(error.value)
    assert str(error.value).startswith(f"{path} is ")
    assert "\n" not in str(error.value)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Harmful(tmp_path / "harm")))
    with pytest.raises(ConvertError, match="a pickle"), content_of(tmp_path / "model.pkl"):
        pass
    assert not (tmp_path / "harm").exists()


def test_weights_of_keras_3_are_named(tmp_path: Path, inception: Any) -> None:
    inception.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ConvertError, match="the weights of a Keras model"), content_of(tmp_path / "a.weights.h5"):
        pass


def test_a_checkpoint_of_tensorflow_is_named(tmp_path: Path) -> None:
    tf.train.Checkpoint(x=tf.Variable(np.arange(100))).save(tmp_path / "ckpt")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(ConvertError, match="a TensorFlow checkpoint"), content_of(path):
            pass
    with pytest.raises(ConvertError, match="a TensorFlow checkpoint"), content_of(tmp_path):
        pass


def test_files_without_a_signature_are_named_by_their_neighbours(tmp_path: Path) -> None:
    (tmp_path / "net.bin").write_bytes(bytes(range(200, 0, -1)))
    (tmp_path / "net.xml").write_text("<net/>")
    with pytest.raises(ConvertError, match="an OpenVINO model"), content_of(tmp_path / "net.bin"):
        pass
    (tmp_path / "group1-shard1of1.bin").write_bytes(bytes(range(200, 0, -1)))
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ConvertError, match="json beside it"), content_of(tmp_path / "group1-shard1of1.bin"):
        pass


def test_a_graph_under_another_name_is_refused(tmp_path: Path) -> None:
    folder = saved_model(tmp_path / "m", logits, picture(1, SIDE_PX, SIDE_PX, 3))
    (folder / "saved_model.pb").rename(tmp_path / "model.pb")
    with pytest.raises(ConvertError, match="is the graph of a SavedModel"), content_of(tmp_path / "model.pb"):
        pass
    with pytest.raises(ConvertError, match="has the variables of a SavedModel and lacks"), content_of(folder):
        pass


def test_every_remedy_is_one_line() -> None:
    assert all("\n" not in f"{kind.what}{kind.remedy}" for kind in FOREIGN.values())
