"""A .tflite graph of any form as one that serving can run: one picture in, (1, H, W, C), one row of scores out."""

import math
from typing import Any, NamedTuple

from convert.errors import ConvertError
from convert.graph import Graph, Op, Type
from convert.opening.foreign import FOREIGN
from convert.opening.forms import CHANNELS, Form, form_of
from convert.opening.outputs import chosen
from convert.opening.tflite_changes import keep_one_output, keep_the_first_graph, put_before
from convert.options import Options

_CONTROL_FLOW = {Op.IF: "IF", Op.WHILE: "WHILE", Op.CALL: "CALL", Op.CALL_ONCE: "CALL_ONCE"}
_AS_IT_IS = (Type.FLOAT32, Type.UINT8, Type.INT8, Type.INT16)
_CAST = (Type.FLOAT16, Type.INT32, Type.INT64)
"""Types of an input to which float32 pixels are cast."""
MOST_VALUES = 1 << 28
"""Of one tensor: 1 GB of float32."""
TYPE_NAMES = {value: name.lower() for name, value in vars(Type).items() if not name.startswith("_")}


class Fitted(NamedTuple):
    """A graph that serving can run, and how the file's own graph is run for comparison."""

    graph: Graph
    is_changed: bool
    """Whether it differs from the file's."""
    form: Form
    own_shape: list[int]
    """Of the file's input; an open side has the size that was chosen for it."""
    output: int
    """Which of the file's outputs, counted from 0."""
    classes: int
    notes: tuple[str, ...]


class _Output(NamedTuple):
    """An output as `outputs.chosen` looks at it."""

    shape: tuple[int, ...]
    dtype: Any


class _Dtype(NamedTuple):
    name: str
    is_floating: bool
    """Or quantised, which means a float."""


def fitted(graph: Graph, options: Options) -> Fitted:
    """The graph as serving needs it; raises ConvertError if it is no image classifier or cannot become one."""
    _check_operators(graph)
    _check_sizes(graph)
    tensor = _only_input(graph)
    stated, is_open = _stated_shape(tensor)
    has_batch = not (len(stated) == 3 and (stated[0] or 0) > 1 and stated[2] in CHANNELS)
    form = form_of(stated if has_batch else (None, *stated), options.input_size)
    one = list(form.model_shape if has_batch else form.model_shape[1:])
    batch = stated[0] if has_batch and stated[0] else 1
    notes = form.notes
    if batch != 1:
        graph = _of_one_picture(graph, one, batch)
        notes += (f"the graph takes {batch} pictures at once: it is served with one",)
    elif is_open:
        graph = graph.with_input_shape(one)
    outputs = _outputs(graph)
    output = chosen(outputs, options.output, "the model")
    position = list(outputs).index(output.key)
    if len(outputs) > 1:
        keep_one_output(graph, position)
    reshaped = one != [1, *form.shape]
    if tensor.type in _CAST:
        put_before(graph, Op.CAST, one, Type.FLOAT32)
    if reshaped:
        put_before(graph, Op.TRANSPOSE if len(one) == 4 else Op.RESHAPE, [1, *form.shape])
    more = keep_the_first_graph(graph)
    is_changed = is_open or batch != 1 or len(outputs) > 1 or reshaped or tensor.type in _CAST or more
    return Fitted(
        graph, is_changed, form, [batch, *one[1:]] if has_batch else one, position, output.classes, notes + output.notes
    )


def _only_input(graph: Graph) -> Any:
    inputs = [graph.tensor(int(i)) for i in graph.subgraph.inputs]
    if len(inputs) != 1:
        raise ConvertError(
            f"the model takes {len(inputs)} inputs: an image classifier takes one; make the others constants"
        )
    if inputs[0].type not in _AS_IT_IS + _CAST:
        raise ConvertError(
            f"the model's input is {TYPE_NAMES.get(inputs[0].type, 'unknown')}: an image classifier takes pixels, "
            "float32 or whole numbers; export such a model"
        )
    if inputs[0].type in (Type.INT32, Type.INT64) and len(inputs[0].shape) < 3:
        raise ConvertError(
            f"the model's input is a row of {TYPE_NAMES[inputs[0].type]}, as tokens of a text are: "
            "only image classifiers are served"
        )
    return inputs[0]


def _stated_shape(tensor: Any) -> tuple[tuple[int | None, ...], bool]:
    """The input's shape, None for an open side, and whether one apart from the batch is open."""
    shape = [int(n) for n in tensor.shape if tensor.shape is not None]
    signature = [int(n) for n in tensor.shapeSignature] if tensor.shapeSignature is not None else shape
    if len(signature) != len(shape):
        signature = shape
    is_open = any(n < 1 for n in (*signature[1:], *shape)) or bool(shape and signature[0] < 1 < shape[0])
    batch = None if shape and signature[0] < 1 else shape[0] if shape else None
    return (batch, *(n if n > 0 else None for n in signature[1:])), is_open


def _of_one_picture(graph: Graph, shape: list[int], batch: int) -> Graph:
    try:
        return graph.with_input_shape(shape)
    except ConvertError as error:
        raise ConvertError(
            f"the graph takes {batch} pictures at once, and a layer in it is bound to that: export it with a batch of 1"
        ) from error


def _outputs(graph: Graph) -> dict[Any, _Output]:
    """Each output by its name: that of the signature, or else the tensor's."""
    mappings = graph.model.signatureDefs[0].outputs if graph.model.signatureDefs else []
    names = {int(one.tensorIndex): _text(one.name) for one in mappings or []}
    found = {}
    for index in map(int, graph.subgraph.outputs):
        tensor = graph.tensor(index)
        is_quantised = tensor.quantization is not None and tensor.quantization.scale is not None
        is_float = tensor.type in (Type.FLOAT32, Type.FLOAT16) or (
            is_quantised and tensor.type in (Type.INT8, Type.UINT8, Type.INT16)
        )
        shape = tuple(int(n) for n in tensor.shape) if tensor.shape is not None else ()
        dtype = _Dtype(TYPE_NAMES.get(tensor.type, "unknown"), is_float)
        found[names.get(index, graph.tensor_name(index))] = _Output(shape, dtype)
    return found


def _check_sizes(graph: Graph) -> None:
    """Raise ConvertError for a tensor for which no function has the memory: LiteRT would end the process."""
    for tensor in graph.subgraph.tensors:
        values = math.prod(int(n) for n in tensor.shape) if tensor.shape is not None else 0
        if not 0 <= values <= MOST_VALUES:
            raise ConvertError(
                f"a tensor of the model has the shape {tuple(int(n) for n in tensor.shape)}: the file is damaged, "
                "or the model is for larger machines; download or export it again"
            )


def _check_operators(graph: Graph) -> None:
    """Raise ConvertError for operators that LiteRT alone does not have, and for control flow."""
    custom = sorted({_text(code.customCode) for code in graph.model.operatorCodes if code.builtinCode == Op.CUSTOM})
    if any(name.startswith("edgetpu") for name in custom):
        raise ConvertError(f"the model is {FOREIGN['edge_tpu'].what}: {FOREIGN['edge_tpu'].remedy}")
    if any(name.startswith("Flex") for name in custom):
        raise ConvertError(
            f"the model uses operators of TensorFlow ({', '.join(custom)}), which LiteRT does not have: "
            "convert it without SELECT_TF_OPS, or give its Keras model or SavedModel"
        )
    if any("Detection" in name or "NonMaxSuppression" in name for name in custom):
        raise ConvertError(
            f"the model is a detector: it ends in {', '.join(custom)} and returns boxes; only classifiers are served"
        )
    if custom:
        raise ConvertError(
            f"the model uses custom operators ({', '.join(custom)}), which LiteRT does not have: "
            "export the model without them"
        )
    flow = sorted({_CONTROL_FLOW[kind] for op in graph.operators if (kind := graph.kind(op)) in _CONTROL_FLOW})
    if flow:
        raise ConvertError(
            f"the model has control flow ({', '.join(flow)}): export one graph without loops, conditions and variables"
        )


def _text(name: Any) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
