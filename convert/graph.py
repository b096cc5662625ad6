"""A .tflite file as objects: the few questions and changes that conversion needs.

Source of the format: LiteRT's schema.fbs, as its package carries it (`schema_py_generated`).
"""

from typing import Any

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

from convert.errors import ConvertError

Op = schema.BuiltinOperator
Type = schema.TensorType
IDENTIFIER = b"TFL3"
_MEANINGLESS = (Op.QUANTIZE, Op.DEQUANTIZE, Op.RESHAPE, Op.SQUEEZE)


class Graph:
    """The first subgraph of a model: operators in order of execution, tensors by index."""

    def __init__(self, data: bytes) -> None:
        """Parse a .tflite file; raises ConvertError when it is none."""
        if data[4:8] != IDENTIFIER:
            raise ConvertError(f"not a TensorFlow Lite model: {len(data)} bytes that begin with {data[:8]!r}")
        try:
            self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        except Exception as error:  # flatbuffers raises what a damaged offset happens to hit
            raise ConvertError("the TensorFlow Lite model is damaged: copy or export it again") from error
        if not self.model.subgraphs or not self.subgraph.operators:
            raise ConvertError("the TensorFlow Lite model holds no graph")

    @property
    def subgraph(self) -> Any:
        """The one that is served."""
        return self.model.subgraphs[0]

    @property
    def operators(self) -> list[Any]:
        """In order of execution; the list itself, so that it can be changed."""
        operators: list[Any] = self.subgraph.operators
        return operators

    def kind(self, operator: Any) -> int:
        """The operator's code, from whichever of the two fields the file's age put it into."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def tensor(self, index: int) -> Any:
        """The tensor with this index."""
        return self.subgraph.tensors[index]

    def consumers(self, index: int) -> list[Any]:
        """The operators that read a tensor."""
        return [operator for operator in self.operators if index in operator.inputs]

    def last_operator(self) -> Any:
        """The last one that computes something: what only changes form or type is passed over."""
        return next(op for op in reversed(self.operators) if self.kind(op) not in _MEANINGLESS)

    def replace_tensor(self, gone: int, by: int) -> None:
        """Let whatever refers to tensor `gone` refer to `by`, and take `gone` out; indices after it move up."""

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

    def serialize(self) -> bytes:
        """The .tflite file, the same bytes for the same graph."""
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())
