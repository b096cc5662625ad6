"""Run by the target's own Python, in a process that sees nothing but function and layers: each model answers.

    python -I -S -B first_answer.py TASK_ROOT OPT [PICTURE]

TASK_ROOT and OPT stand for Lambda's /var/task and /opt. The last line of standard output is JSON. This file imports
nothing of `layers`, and nothing from outside of Python's own library.
"""

import io
import json
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any


def main(task_root: Path, opt: Path, picture: Path | None) -> dict[str, Any]:
    """Import `app`, classify the picture in each format with each model, and say what was loaded from where."""
    sys.path[:0] = [str(task_root), str(opt / "python")]  # Lambda's order
    import app
    from chalicelib.config import EMBEDDED_MODELS, Settings
    from chalicelib.inference.registry import find_bundles
    from chalicelib.inference.store import ModelStore
    from chalicelib.telemetry import Spans

    settings = Settings(model_dirs=(opt / "models", EMBEDDED_MODELS))
    store = ModelStore(settings)
    pictures = encoded(picture)
    answers = {}
    for name in find_bundles(settings.model_dirs):
        classify = store.get(name).classify
        best = {kind: classify(data, 1, Spans())[0] for kind, data in pictures.items()}
        answers[name] = {kind: [prediction.label, prediction.score] for kind, prediction in best.items()}
    return {"app": app.app.app_name, "answers": answers, **loaded((task_root, opt))}


def encoded(picture: Path | None) -> dict[str, bytes]:
    """The picture, or a grey ramp, in every format that is served: slimming could have taken any codec away."""
    from PIL import Image

    from chalicelib.inference.formats import FORMATS

    image = Image.open(picture) if picture else Image.linear_gradient("L")
    files = {kind: io.BytesIO() for kind in FORMATS}
    for kind, file in files.items():
        image.convert("RGB").save(file, kind)
    return {kind: file.getvalue() for kind, file in files.items()}


def loaded(roots: tuple[Path, ...]) -> dict[str, Any]:
    """Modules that came from elsewhere, modules without shipped bytecode, shared objects mapped from the layers."""
    own = (Path(sys.prefix), Path(sys.base_prefix), Path(__file__), *roots)
    files = {name: Path(module.__file__) for name, module in sys.modules.items() if getattr(module, "__file__", None)}  # type: ignore[arg-type]
    outside = sorted(name for name, file in files.items() if not any(file.is_relative_to(root) for root in own))
    sources = [f for f in files.values() if f.suffix == ".py" and any(f.is_relative_to(root) for root in roots)]
    compiled = [f for f in sources if Path(cache_from_source(str(f))).is_file()]
    mapped = {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    objects = sorted(str(Path(f).relative_to(roots[1])) for f in mapped if f.startswith(f"{roots[1]}/"))
    return {"outside": outside, "modules": len(sources), "compiled": len(compiled), "mapped": objects}


if __name__ == "__main__":
    task, layers, *rest = map(Path, sys.argv[1:])
    print(json.dumps(main(task, layers, rest[0] if rest else None)))
