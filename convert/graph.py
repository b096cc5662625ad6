"""A .tflite file as objects, with the few queries and changes that conversion needs.

Source of the format: LiteRT's schema.fbs, as its package carries it (`schema_py_generated`).
"""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from convert.errors import ConvertError

Op = schema.BuiltinOperator
Type = schema.TensorType
IDENTIFIER = b"TFL3"
CHANGES_NO_VALUE = (Op.QUANTIZE, Op.DEQUANTIZE, Op.RESHAPE, Op.SQUEEZE)


class Graph:
    """The first subgraph of a model: operators in order of execution, tensors by index.

    Files of any age look the same here: each operator's code is in `builtinCode`, each constant's bytes are in its
    buffer, and each tensor has a name that no other has. The quantiser relies on all three.
    """

    def __init__(self, data: bytes) -> None:
        """Parse a .tflite file; raises ConvertError for anything else."""
        if data[4:8] != IDENTIFIER:
            raise ConvertError(
                f"not a TensorFlow Lite model: {len(data)} bytes that begin with {data[:8]!r}; "
                "download or export it again"
            )
        try:
            self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
            _fill_buffers(self.model, data)
        except Exception as error:  # flatbuffers raises what a damaged offset happens to hit
            raise ConvertError("the TensorFlow Lite model is damaged: download or export it again") from error
        if not self.model.subgraphs or not self.subgraph.operators:
            raise ConvertError("the TensorFlow Lite model holds no graph: export it again")
        _use_new_codes(self.model)
        _name_tensors(self.subgraph)

    @property
    def subgraph(self) -> Any:
        """The first subgraph; only this one is served."""
        return self.model.subgraphs[0]

    @property
    def operators(self) -> list[Any]:
        """The operators in order of execution. A change to this list changes the graph."""
        operators: list[Any] = self.subgraph.operators
        return operators

    def kind(self, operator: Any) -> int:
        """The operator's code, a value of `Op`."""
        return int(self.model.operatorCodes[operator.opcodeIndex].builtinCode)

    def name(self, operator: Any) -> str:
        """The name of the operator's first output, by which users, recipes and tables refer to the operator."""
        return self.tensor_name(operator.outputs[0])

    def tensor_name(self, index: int) -> str:
        """The name of a tensor."""
        return _text(self.tensor(index).name)

    def tensor(self, index: int) -> Any:
        """The tensor with this index, as `schema.TensorT`."""
        return self.subgraph.tensors[index]

    def consumers(self, index: int) -> list[Any]:
        """The operators that read a tensor."""
        return [operator for operator in self.operators if index in operator.inputs]

    def last_operator(self) -> Any:
        """The last operator that computes something, not only changes a shape or a type."""
        return next(op for op in reversed(self.operators) if self.kind(op) not in CHANGES_NO_VALUE)

    def replace_tensor(self, gone: int, by: int) -> None:
        """Make all references to tensor `gone` refer to `by`, and delete `gone`; later indices fall by one."""

        def renumbered(index: int) -> int:
            kept = by if index == gone else index
            return kept - (kept > gone)

        for part in [*self.operators, self.subgraph]:
            part.inputs = [renumbered(i) for i in part.inputs]
            part.outputs = [renumbered(i) for i in part.outputs]
        for signature in self.model.signatureDefs or []:
            for mapping in [*signature.inputs, *signature.outputs]:
                mapping.tensorIndex = renumbered(mapping.tensorIndex)
        del self.subgraph.tensors[gone]

    def signature_names(self) -> tuple[str, str]:
        """The first signature's key, and the name that it gives the input."""
        signature = self.model.signatureDefs[0]
        return _text(signature.signatureKey), _text(signature.inputs[0].name)

    def with_input_size(self, height: int, width: int) -> "Graph":
        """A copy whose input is (1, height, width, C), and in which every other tensor's shape follows.

        It is for graphs whose height and width are open, and raises ConvertError if the graph works at one size only.
        """
        return self.with_input_shape(
            [1, height, width, *(int(n) for n in self.tensor(self.subgraph.inputs[0]).shape[3:])]
        )

    def with_input_shape(self, shape: list[int]) -> "Graph":
        """A copy whose input has this shape, with a batch of 1, in any order of the other sides; see above."""
        fixed = Graph(self.serialize())
        index = int(self.subgraph.inputs[0])
        for tensor_index, found in _shapes(self.serialize(), index, shape).items():
            if tensor_index < len(fixed.subgraph.tensors):  # LiteRT's own come after the graph's
                fixed.tensor(tensor_index).shape = found
        for tensor in fixed.subgraph.tensors:
            tensor.shapeSignature = None
        batches = [int(fixed.tensor(i).shape[0]) for i in fixed.subgraph.outputs if len(fixed.tensor(i).shape)]
        if any(batch != 1 for batch in batches):  # a reshape to (-1, n) takes a larger picture for two
            raise _fits_another_size(shape)
        return fixed

    def serialize(self) -> bytes:
        """The .tflite file; the same graph gives the same bytes."""
        return self.packed(self.model)

    @staticmethod
    def packed(model: Any) -> bytes:
        """The .tflite file of a `schema.ModelT`."""
        constants = sum(len(buffer.data) for buffer in model.buffers if buffer.data is not None)
        builder = flatbuffers.Builder(constants + (1 << 20))  # a builder that is too small doubles, and copies
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())


def _shapes(model: bytes, index: int, shape: list[int]) -> dict[int, NDArray[np.int32]]:
    """Each tensor's shape if the input `index` has this shape, as LiteRT computes it during one inference."""
    try:
        interpreter = Interpreter(
            model_content=model, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        interpreter.resize_tensor_input(index, shape)
        interpreter.allocate_tensors()
        interpreter.invoke()  # some shapes are computed, and known only after it
    except (ValueError, RuntimeError) as error:
        raise _fits_another_size(shape) from error
    return {detail["index"]: detail["shape"] for detail in interpreter.get_tensor_details()}


def _fits_another_size(shape: list[int]) -> ConvertError:
    size = "x".join(str(n) for n in reversed([n for n in shape[1:] if n not in (1, 3)] or shape[1:]))
    return ConvertError(
        f"the network cannot take pictures of {size}: a layer in it fits another size; "
        "give --input-size the one that it was trained with"
    )


def _fill_buffers(model: Any, data: bytes) -> None:
    """Files with large constants hold them behind the flatbuffer, and only their place in the buffers."""
    for buffer in model.buffers or []:
        if buffer.offset > 1:  # 0 and 1 are no places
            buffer.data = np.frombuffer(data, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0


def _use_new_codes(model: Any) -> None:
    """Files older than schema 3a hold an operator's code in `deprecatedBuiltinCode` alone."""
    for code in model.operatorCodes or []:
        code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)


def _name_tensors(subgraph: Any) -> None:
    seen = set()
    for index, tensor in enumerate(subgraph.tensors or []):
        name = tensor.name or b"tensor"
        tensor.name = name if tensor.name and name not in seen else name + b"#%d" % index
        seen.add(tensor.name)


def operator_code(kind: int) -> Any:
    """A new entry for `model.operatorCodes`: the first version of an operator, a value of `Op`."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = kind
    code.version = 1
    return code


def _text(name: Any) -> str:
    """A name of the schema: bytes in a graph that was parsed, text in a part that was added since."""
    return name.decode() if isinstance(name, bytes) else str(name)
