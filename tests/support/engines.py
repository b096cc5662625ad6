"""Engines as a process gets them where XNNPACK does not start, and the nodes of graphs that no engine has loaded."""

import importlib
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from chalicelib.inference.engine import Engine

Node = tuple[str, list[int], list[int]]
"""Name, tensors read, tensors written."""


def without_xnnpack(engine: Engine) -> Engine:
    """The same engine, whose interpreters get no delegate: the one that Lambda's arm64 gives without its library."""
    resolvers: Any = importlib.import_module(engine.interpreter_class.__module__)  # type: ignore[attr-defined]
    chosen = resolvers.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return engine._replace(interpreter_class=partial(engine.interpreter_class, experimental_op_resolver_type=chosen))


def fake_interpreter(nodes: list[Node], outputs: list[int]) -> Any:
    """Shows nodes as the engines do: operators in their order, then a DELEGATE for each partition."""
    graph = SimpleNamespace(
        NumNodes=lambda: len(nodes),
        NodeName=lambda node: nodes[node][0],
        NodeInputs=lambda node: np.array(nodes[node][1], np.int32),
        NodeOutputs=lambda node: np.array(nodes[node][2], np.int32),
        OutputIndices=lambda: np.array(outputs, np.int32),
    )
    return SimpleNamespace(_interpreter=graph)
