"""Run in a new process: the packaged function answers one event as in answer_event.py, and says what took how long.

python -I -S -B [-X importtime] answer_in_parts.py TASK_ROOT OPT EVENT_FILE BEGAN_NS

BEGAN_NS is time.monotonic_ns() of the parent before it started this process. The last line is JSON: `parts_ms`, and
`shared_objects`, the modules that are machine code.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import SimpleNamespace
from typing import Any

task_root, opt, event_file, began_ns = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
sys.path[:0] = [str(task_root), str(opt / "python")]
parts: dict[str, float] = {"Python starts, with json and pathlib": (time.monotonic_ns() - began_ns) / 1e6}


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which adds its time to the part, ms."""

    def call(*given: Any, **named: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            parts[part] = parts.get(part, 0.0) + (time.perf_counter() - began) * 1000

    return call


def time_method(owner: object, name: str, part: str) -> None:
    """Replace a function or a method by one that is timed."""
    setattr(owner, name, timed(part, getattr(owner, name)))


def import_app() -> Any:
    """The function's handler."""
    import app

    return app.app


handler = timed("imports", import_app)()

from chalicelib.inference import classifier, images, store  # noqa: E402


def with_timed_interpreter(engine: Any) -> Any:
    """The engine, the parts of its interpreter timed."""
    timed_class = type("Timed", (engine.interpreter_class,), {})
    time_method(timed_class, "__init__", "model: mapped and parsed")
    time_method(timed_class, "allocate_tensors", "model: delegate made, weights packed")
    time_method(timed_class, "invoke", "first inference")
    return engine._replace(interpreter_class=timed_class)


find_engine = timed("engine imported", getattr(store, "find_engine"))  # noqa: B009 - the module does not export it
setattr(store, "find_engine", lambda wanted: with_timed_interpreter(find_engine(wanted)))  # noqa: B010
time_method(store, "load_bundle", "bundle read and checked")
time_method(images, "pixels_of", "picture decoded and resized")
time_method(getattr(classifier, "InputEncoder"), "encode", "input tensor")  # noqa: B009

event = json.loads(event_file.read_text())
context = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:benchmark")
before, began = sum(parts.values()), time.perf_counter()
answer = handler(event, context)
took = (time.perf_counter() - began) * 1000
assert answer["statusCode"] == 200, answer
parts["routing, JSON, base64, ranking, log line"] = took - (sum(parts.values()) - before)
loaders = {name: getattr(module, "__loader__", None) for name, module in sys.modules.items()}
objects = sorted(name for name, loader in loaders.items() if isinstance(loader, ExtensionFileLoader))
print(json.dumps({"parts_ms": parts, "shared_objects": objects}))
print("answered", flush=True)
