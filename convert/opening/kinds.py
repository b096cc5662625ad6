"""What a file is, by its bytes and never by its name."""

import codecs
import json
import struct
import zipfile
from pathlib import Path
from typing import Literal

from chalicelib.inference.formats import format_of
from convert.opening.protobufs import kind_of_message

Model = Literal["keras", "hdf5", "tflite", "saved_model", "tfjs", "zip"]
"""keras: Keras 3's zip. hdf5: a whole Keras model. saved_model: `saved_model.pb` itself, or as text. tfjs: the
`model.json` of a TensorFlow.js layers model. zip: of files, which may hold a model."""
HEAD_BYTES, TAIL_BYTES = 1 << 16, 64
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (4, b"TFL3", "tflite"),
    (4, b"ORTM", "onnxruntime"),
    (4, b"ET12", "executorch"),
    (0, b"\x89HDF\r\n\x1a\n", "hdf5"),
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"GGUF", "gguf"),
    (0, b"LITERTLM", "litert_lm"),
    (0, b"\x93NUMPY", "numpy"),
    (0, b"ftrt", "tensorrt"),
    (0, b"ptrt", "tensorrt"),
    (0, b"\x1f\x8b", "archive"),
    (0, b"BZh", "archive"),
    (0, b"\xfd7zXZ\0", "archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "archive"),
    (0, b"Rar!\x1a\x07", "archive"),
    (0, b"\x28\xb5\x2f\xfd", "archive"),
    (257, b"ustar", "archive"),
    (0, b"version https://git-lfs", "git_lfs"),
    (0, b"%PDF", "document"),
    (0, b"\x78\x9c", "joblib"),
    (0, b"\x78\x01", "joblib"),
    (0, b"\x78\xda", "joblib"),
)
"""Offset, bytes, kind. Sources: the formats' own specifications; onnxruntime/core/flatbuffers/schema/ort.fbs;
executorch/schema/program.fbs; numpy/lib/format.py; joblib writes zlib."""
_TABLE_END = bytes.fromhex("57fb808b247547db")
"""The last bytes of LevelDB's tables, which TensorFlow's checkpoints are. Source: tensorflow/tsl/lib/io/format.h."""
_TORCH_LEGACY = bytes.fromhex("8a0a6cfc9c46f9206aa85019")
"""Of torch.save before version 1.6: its magic number, pickled. Source: torch/serialization.py."""


def kind_of(path: Path) -> str:
    """A `Model`, or a key of `foreign.FOREIGN`; raises OSError."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, 2)
        file.seek(max(0, size - TAIL_BYTES))
        tail = file.read()
    if not head.strip(b"\0"):
        return "empty"
    kind = next((kind for offset, magic, kind in _MAGIC if head.startswith(magic, offset)), None)
    if kind == "zip":
        return _in_zip(path)
    if kind == "hdf5":
        return _in_hdf5(path)
    if kind:
        return kind
    if format_of(head[:32]) or head.startswith((b"II*\0", b"MM\0*")) or head[4:8] == b"ftyp":
        return "picture"
    if tail.endswith(_TABLE_END) or _is_part_of_checkpoint(path):
        return "checkpoint"
    if head[:1] == b"\x80" and head[1:2] <= b"\x05":
        return _in_pickle(head)
    return _in_text(path, head) or _in_safetensors(head, size) or kind_of_message(path, size) or _by_neighbours(path)


def _in_zip(path: Path) -> str:
    """A Keras file, another framework's archive, or "zip" for an archive of files."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError, ValueError):
        return "damaged_zip"
    names = {member.filename for member in members}
    last = {name.rpartition("/")[2] for name in names}
    if any(member.flag_bits & 1 for member in members):
        return "encrypted_zip"
    if {"config.json", "model.weights.h5"} <= names:
        return "keras"
    if "data.pkl" in last:
        return "torchscript" if "constants.pkl" in last or any("/code/" in name for name in names) else "pytorch"
    if any(name.endswith(("serialized_exported_program.json", "archive_format")) for name in names):
        return "torch_export"
    if names and all(name.endswith(".npy") for name in names):
        return "numpy"
    if "[Content_Types].xml" in names:
        return "document"
    if "coremldata.bin" in last or any("com.apple.CoreML" in name for name in names):
        return "coreml"
    return "zip"


def _in_hdf5(path: Path) -> str:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs:
                return "hdf5"
            return "keras_weights" if {"layer_names", "keras_version"} & set(file.attrs) or _has_weights(file) else "h5"
    except Exception:  # h5py raises whatever a damaged file leads it to
        return "damaged_hdf5"


def _has_weights(file: object) -> bool:
    names = set(file)  # type: ignore[call-overload]
    return bool(names & {"layers", "_layer_checkpoint_dependencies", "model_weights", "vars"})


def _in_pickle(head: bytes) -> str:
    if _TORCH_LEGACY in head[:64] or b"torch" in head:
        return "pytorch"
    return "sklearn" if b"sklearn" in head else "pickle"


def _is_part_of_checkpoint(path: Path) -> bool:
    """Whether it is a file of weights, which has no signature, beside the index of its checkpoint."""
    stem, dot, _ = path.name.rpartition(".data-")
    return bool(dot) and path.with_name(f"{stem}.index").exists()


def _in_text(path: Path, head: bytes) -> str | None:
    """What a text is, None for bytes that are no text."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head).strip()  # the end may cut a character
    except UnicodeDecodeError:
        return None
    if "\0" in text or not text:
        return None
    start = text[:2000].lower()
    if text[0] in "{[":
        return _in_json(path)
    if start.startswith("<") and "<net" in start:
        return "openvino"
    if start.startswith(("<!doctype", "<html", "<?xml", "<error", "<!--", "<head", "<body")):
        return "web_page"
    if start.startswith("model_checkpoint_path"):
        return "checkpoint"
    if start.startswith("saved_model_schema_version"):
        return "saved_model"
    return "text" if text.isprintable() or "\n" in text else None


def _in_json(path: Path) -> str:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError, OSError):
        return "text"
    if not isinstance(content, dict):
        return "json"
    if content.get("format") == "graph-model" or "node" in (content.get("modelTopology") or {}):
        return "tfjs_graph"
    if "modelTopology" in content or "weightsManifest" in content:
        return "tfjs"
    return "keras_json" if {"class_name", "config"} <= set(content) else "json"


def _in_safetensors(head: bytes, size: int) -> str | None:
    if len(head) < 10:
        return None
    (length,) = struct.unpack("<Q", head[:8])
    return "safetensors" if length <= size - 8 and head[8:9] == b"{" and head[9:10] in b'"} ' else None


def _by_neighbours(path: Path) -> str:
    """What a file without a signature belongs to."""
    if path.with_suffix(".xml").exists():
        return "openvino"
    if (path.parent / "model.json").exists():
        return "tfjs_weights"
    return "unknown"
