"""The inference engine: LiteRT, or tflite-runtime if LiteRT is not installed; and what decides how fast it is.

Both have TensorFlow Lite's `Interpreter`; no other module of the served code depends on which one it is.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.config import EngineName
from chalicelib.errors import EngineError

PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""The engine's name, as in the setting ENGINE, to the package to import; "auto" tries them in this order."""
FEATURES = {
    "AVX2": "avx2",
    "AVX512F": "avx512f",
    "AVX512VNNI": "avx512_vnni",
    "ASIMDDP": "asimddp",
    "SVE": "sve",
}
"""NumPy's name of a processor's feature to the kernel's, for those that decide how fast calculating in 8 bits is."""
FOR_8_BITS = ("avx512_vnni", "asimddp")
"""With one of these, 8 bits take about a third of float's time; with AVX2 alone hardly less than float."""


class Engine(NamedTuple):
    """An importable engine: its name, its version, and the class of its interpreters."""

    name: str
    version: str
    interpreter_class: Callable[..., Any]

    def load(self, model_path: Path, num_threads: int) -> Any:
        """An interpreter with its tensors allocated.

        Raises whatever the engine raises for a model that it cannot load, most often ValueError or RuntimeError.
        Verify the file first (`registry.load_bundle`): a damaged one can end the process.
        """
        interpreter = self.interpreter_class(model_path=str(model_path), num_threads=num_threads)
        interpreter.allocate_tensors()
        return interpreter


def find_engine(wanted: EngineName = "auto") -> Engine:
    """The engine `wanted`, or for "auto" the first one that can be imported; raises EngineError if there is none."""
    problems: list[Exception] = []
    for name, package in PACKAGES.items():
        if wanted in ("auto", name):
            try:
                version = getattr(importlib.import_module(package), "__version__", "unknown")
                return Engine(name, version, importlib.import_module(f"{package}.interpreter").Interpreter)
            except Exception as error:  # a wheel for another system raises other errors than ImportError, too
                problems.append(error)
    raise EngineError(f"no inference engine can be imported (ENGINE={wanted})") from ExceptionGroup("engines", problems)


def processor_features() -> list[str]:
    """Those of FEATURES that the processor shows to this process; empty if NumPy does not say it.

    NumPy asks CPUID, and on arm64 the kernel's HWCAP (numpy/_core/src/common/npy_cpu_features.c), as XNNPACK does. So
    a process from which features are masked names what its kernels can use, which /proc/cpuinfo would not, and the
    answer is in memory already: reading that file takes 0.15 ms. NumPy knows no avx_vnni, amx_int8 and i8mm. That
    decides nothing here: processors with the second have avx512_vnni too, those with the third asimddp, and those
    with the first alone are no servers.
    """
    try:
        found = importlib.import_module("numpy._core._multiarray_umath").__cpu_features__
    except (ImportError, AttributeError):
        return []
    return [name for numpys, name in FEATURES.items() if found.get(numpys)]


class Delegated:
    """How much of a graph XNNPACK holds. Not a dataclass: every cold start would pay for its methods.

    `operators` counts the graph's operators, `partitions` the pieces of it that XNNPACK holds; 0: it holds nothing.
    `outside` has the names of the operators that it does not hold, each with its count, most common first.
    """

    def __init__(self, operators: int, partitions: int, outside: Mapping[str, int]) -> None:
        self.operators, self.partitions = operators, partitions
        self.outside = dict(sorted(outside.items(), key=lambda item: (-item[1], item[0])))

    @property
    def outside_count(self) -> int:
        """The number of operators that XNNPACK does not hold."""
        return sum(self.outside.values())


def delegated(interpreter: Any) -> Delegated | None:
    """How much of an interpreter's graph XNNPACK holds; None if the engine does not show it.

    A delegate appends a node DELEGATE for each of its partitions. The operators that it took over stay in the list of
    nodes, but are called no more (tensorflow/lite/core/subgraph.cc, ReplaceNodeSubsetsWithDelegateKernels). What is
    called is what a walk back from the graph's outputs meets, where a tensor's producer is the last node that writes
    it. The engines name no delegate; XNNPACK is their default and the only one here.

    Only a private member shows the nodes, and while a reference to it is held, `invoke` raises: guard both with one
    lock. The graphs inside of operators such as WHILE are not looked at.
    """
    try:
        return _walk(interpreter._interpreter)
    except Exception:  # whatever a private member may raise in another version: no answer may fail for this
        return None


def _walk(graph: Any) -> Delegated:
    nodes = operators = graph.NumNodes()
    while operators and graph.NodeName(operators - 1) == "DELEGATE":
        operators -= 1
    producers = {tensor: node for node in range(nodes) for tensor in graph.NodeOutputs(node).tolist()}
    called: set[int] = set()
    tensors = list(graph.OutputIndices())
    while tensors:
        node = producers.get(tensors.pop())
        if node is not None and node not in called:
            called.add(node)
            tensors += graph.NodeInputs(node).tolist()
    outside: dict[str, int] = {}
    for name in (str(graph.NodeName(node)) for node in called if node < operators):
        outside[name] = outside.get(name, 0) + 1
    return Delegated(operators, nodes - operators, outside)
