"""The inference engine: LiteRT, or tflite-runtime if LiteRT is not installed.

Both have TensorFlow Lite's `Interpreter`; no other module of the served code depends on which one it is.
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.config import EngineName
from chalicelib.errors import EngineError

PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}
"""The engine's name, as in the setting ENGINE, to the package to import; "auto" tries them in this order."""


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
