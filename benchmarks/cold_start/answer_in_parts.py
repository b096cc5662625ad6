"""Run in a new process: the packaged function answers one event as in answer_event.py, and says what took how long.

python -I -S -B [-X importtime] answer_in_parts.py TASK_ROOT OPT EVENT_FILE BEGAN_NS

BEGAN_NS is time.monotonic_ns() of the parent before it started this process. The last line is JSON: `parts_ms`, and
`shared_objects`, the modules that are machine code.
"""

import json
import sys
import time
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import SimpleNamespace

task_root, opt, event_file, began_ns = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
sys.path[:0] = [str(task_root), str(opt / "python")]
parts = {"Python starts, with json and pathlib": (time.monotonic_ns() - began_ns) / 1e6}


def timed(part, function):
    """The function, which adds its time to the part."""

    def call(*given, **named):
        began = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            parts[part] = parts.get(part, 0.0) + (time.perf_counter() - began) * 1000

    return call


def import_app():
    """Import it."""
    import app

    return app.app


function = timed("imports", import_app)()

from chalicelib.inference import classifier, images, store  # noqa: E402


def find_engine(wanted):
    """The engine, its interpreter's parts timed."""
    found = original(wanted)

    class Timed(found.interpreter_class):
        """LiteRT's interpreter."""

        __init__ = timed("model: mapped and parsed", found.interpreter_class.__init__)
        allocate_tensors = timed("model: delegate, weights packed", found.interpreter_class.allocate_tensors)
        invoke = timed("first inference", found.interpreter_class.invoke)

    return found._replace(interpreter_class=Timed)


original = timed("engine imported", store.find_engine)
store.find_engine = find_engine
store.load_bundle = timed("bundle read and checked", store.load_bundle)
images.pixels_of = timed("picture decoded and resized", images.pixels_of)
classifier.InputEncoder.encode = timed("input tensor", classifier.InputEncoder.encode)

event = json.loads(event_file.read_text())
context = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:benchmark")
before, began = sum(parts.values()), time.perf_counter()
answer = function(event, context)
took = (time.perf_counter() - began) * 1000
assert answer["statusCode"] == 200, answer
parts["routing, JSON, base64, ranking, log line"] = took - (sum(parts.values()) - before)
loaders = {name: getattr(module, "__loader__", None) for name, module in sys.modules.items()}
objects = sorted(name for name, loader in loaders.items() if isinstance(loader, ExtensionFileLoader))
print(json.dumps({"parts_ms": parts, "shared_objects": objects}))
print("answered", flush=True)
