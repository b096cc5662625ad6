"""Which layers a Keras configuration may name. Code that a file brings along, or names, never runs.

Keras and tf_keras import modules, and run functions, that a file names. Keras's safe mode stops less than this does,
and tf_keras's nothing in HDF5 files. So a file is read before it is loaded.
"""

import re
from pathlib import Path
from typing import Any

from convert.errors import ConvertError
from convert.opening.keras_config import nodes

_EXPORT = "call model.export('DIR') where the model is defined, and convert DIR"
_WITH_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
_METHODS = ("ClassMethod", "InstanceMethod", "InstanceProperty")
_OPERATIONS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer", "TensorFlowOp")
_ROOMS = (
    "activations|applications|constraints|dtype_policies|engine|initializers|layers|losses|metrics|mixed_precision|"
    "models|ops|optimizers|quantizers|random|regularizers"
)
_MODULE = re.compile(rf"(?:tf_)?keras(?:\.(?:src\.|api\._v2\.keras\.)?(?:{_ROOMS})(?:\.\w+)*)?|builtins")
_TENSORFLOW = re.compile(r"tensorflow\.python\.ops\.(?:gen_)?(?:nn|math|array|clip|image)(?:_ops|_impl|_ops_impl)?")
_FUNCTION = re.compile(
    r"(?:compat\.v1\.)?(?:(?:__operators__|math|nn|image|linalg|bitwise|signal|keras\.activations)\.\w+|"
    r"(?:abs|add|argmax|argmin|broadcast_to|cast|clip_by_value|concat|constant|convert_to_tensor|cos|cumsum|divide|"
    r"einsum|equal|exp|expand_dims|fill|floor|gather|gather_nd|greater|greater_equal|identity|less|less_equal|"
    r"logical_and|logical_not|logical_or|matmul|maximum|minimum|multiply|negative|norm|not_equal|one_hot|ones|ones_like|"
    r"pad|pow|rank|realdiv|reduce_(?:all|any|max|mean|min|prod|sum)|repeat|reshape|reverse|round|roll|shape|sigmoid|"
    r"sign|sin|size|slice|split|sqrt|square|squeeze|stack|stop_gradient|strided_slice|subtract|tanh|tensordot|tile|"
    r"transpose|truediv|truncatediv|unstack|where|zeros|zeros_like))"
)
_QUANTISED = re.compile(r"Quantize(?:WrapperV?\d*|Layer|Annotate)")
_PRUNED = {"PruneLowMagnitude": "sparsity.keras.strip_pruning", "ClusterWeights": "clustering.keras.strip_clustering"}
_SEQUENCE = re.compile(
    r"Embedding|LSTM|GRU|SimpleRNN|RNN|Bidirectional|(?:Separable)?Conv1D|TextVectorization|StringLookup|"
    r"IntegerLookup|Hashing"
)
_PICTURE = re.compile(r"\w*(?:Conv2D\w*|Pooling2D|ZeroPadding2D)|Random(?:Flip|Crop|Rotation|Zoom)|Rescaling|Resizing")


def check(config: dict[str, Any], path: Path) -> None:
    """Raise ConvertError if the network brings code along, is quantised already, or is made for sequences."""
    for node in nodes(config):
        _check_quantised(node, path)
    for node in nodes(config):
        _check_code(node, path)
    _check_sequence([node for node in nodes(config) if isinstance(node.get("class_name"), str)], path)


def _check_code(node: dict[str, Any], path: Path) -> None:
    kind, inner = node.get("class_name"), node.get("config")
    settings = inner if isinstance(inner, dict) else {}
    name = settings.get("name") or node.get("name") or ""
    if kind in _WITH_CODE or node.get("function_type") == "lambda":
        raise ConvertError(f"{path} has a layer with code, {kind} {str(name)!r}, which is not run: {_EXPORT}")
    if kind in _OPERATIONS and not _FUNCTION.fullmatch(str(settings.get("function", ""))):
        function = settings.get("function", "an operation of TensorFlow 1")
        raise ConvertError(f"{path} has a layer with code, {str(name)!r} calls {function}, which is not run: {_EXPORT}")
    if kind in _METHODS and "layers" not in settings:
        raise ConvertError(f"{path} has a layer with code, {kind} {str(name)!r}, which is not run: {_EXPORT}")
    if not isinstance(kind, str):
        return
    module, registered = node.get("module"), node.get("registered_name")
    is_known = module is None or (
        isinstance(module, str) and (_MODULE.fullmatch(module) or _TENSORFLOW.fullmatch(module))
    )
    if not is_known or ">" in str(registered or "") or ">" in kind:
        where = f" of {module}" if module and not is_known else ""
        raise ConvertError(
            f"{path} has a custom class, {str(registered or kind)!r}{where}, whose code is not in it: {_EXPORT}"
        )


def _check_quantised(node: dict[str, Any], path: Path) -> None:
    kind = str(node.get("class_name", ""))
    last = kind.rpartition(">")[2]
    settings = node.get("config") if isinstance(node.get("config"), dict) else {}
    policy = str((settings or {}).get("name", "")) if kind.endswith("DTypePolicy") else ""
    if kind in ("QuantizedDTypePolicy", "QuantizedFloat8DTypePolicy") or "_from_" in policy:
        raise ConvertError(
            f"{path} is quantised by Keras already ({policy}): save the model before model.quantize(...), and convert "
            "that with --quantize int8"
        )
    if _QUANTISED.fullmatch(last):
        raise ConvertError(
            f"{path} was trained with quantisation in mind ({last} of tfmot): write a .tflite where it was trained, "
            "with tf.lite.TFLiteConverter and optimizations = [tf.lite.Optimize.DEFAULT], and convert that"
        )
    if last in _PRUNED:
        raise ConvertError(
            f"{path} still has {last} of tfmot around its layers: save tfmot.{_PRUNED[last]}(model) and convert that"
        )


def _check_sequence(layers: list[dict[str, Any]], path: Path) -> None:
    """Raise ConvertError if a layer for sequences comes before any for pictures."""
    for layer in layers:
        kind = layer["class_name"]
        if _SEQUENCE.fullmatch(kind):
            raise ConvertError(
                f"{path} is made for text, signals or sequences, its first layers have {kind}: "
                "only image classifiers are served"
            )
        if _PICTURE.fullmatch(kind):
            return
