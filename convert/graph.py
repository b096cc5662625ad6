"""A .tflite file as objects, with the few queries and changes that conversion needs.

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
        """Parse a .tflite file; raises ConvertError for anything else."""
        if data[4:8] != IDENTIFIER:
            raise ConvertError(
                f"not a TensorFlow Lite model: {len(data)} bytes that begin with {data[:8]!r}; "
                "download or export it again"
            )
        try:
            self.model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
        except Exception as error:  # flatbuffers raises what a damaged offset happens to hit
            raise ConvertError("the TensorFlow Lite model is damaged: download or export it again") from error
        if not self.model.subgraphs or not self.subgraph.operators:
            raise ConvertError("the TensorFlow Lite model holds no graph: export it again")

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
        """The operator's code, a value of `Op`: older files hold it in `deprecatedBuiltinCode`."""
        code = self.model.operatorCodes[operator.opcodeIndex]
        return int(max(code.builtinCode, code.deprecatedBuiltinCode))

    def tensor(self, index: int) -> Any:
        """The tensor with this index, as `schema.TensorT`."""
        return self.subgraph.tensors[index]

    def consumers(self, index: int) -> list[Any]:
        """The operators that read a tensor."""
        return [operator for operator in self.operators if index in operator.inputs]

    def last_operator(self) -> Any:
        """The last operator that computes something, not only changes a shape or a type."""
        return next(op for op in reversed(self.operators) if self.kind(op) not in _MEANINGLESS)

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

    def serialize(self) -> bytes:
        """The .tflite file; the same graph gives the same bytes."""
        return self.packed(self.model)

    @staticmethod
    def packed(model: Any) -> bytes:
        """The .tflite file of a `schema.ModelT`."""
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), IDENTIFIER)
        return bytes(builder.Output())


def _text(name: Any) -> str:
    """A name of the schema: bytes in a graph that was parsed, text in a part that was added since."""
    return name.decode() if isinstance(name, bytes) else str(name)
