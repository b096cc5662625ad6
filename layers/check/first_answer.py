"""Run by the target's own Python, in a process that sees nothing but function and layers: each model answers.

    python -I -S -B first_answer.py TASK_ROOT OPT [PICTURE]

TASK_ROOT and OPT stand for Lambda's /var/task and /opt. The last line of standard output is JSON. This file imports
nothing of `layers`, and nothing from outside of Python's own library.
"""

import base64
import io
import json
import sys
from importlib.util import cache_from_source
from pathlib import Path
from typing import Any


def main(task_root: Path, opt: Path, picture: Path | None) -> dict[str, Any]:
    """Import `app`, classify with each model, and say what was loaded from where.

    `picture` may be a folder of pictures. `answers` has the first one in each format: its label and score. `samples`
    has each picture as it is, and mirrored and turned: all labels with their scores.
    """
    sys.path[:0] = [str(task_root), str(opt / "python")]  # Lambda's order
    import app
    from chalicelib.config import EMBEDDED_MODELS, Settings
    from chalicelib.inference.registry import find_bundles
    from chalicelib.inference.store import ModelStore
    from chalicelib.telemetry import Spans

    settings = Settings(model_dirs=(opt / "models", EMBEDDED_MODELS))
    store = ModelStore(settings)
    images = opened(picture)
    formats, turned = encoded(next(iter(images.values()))), in_all_directions(images)
    answers, samples = {}, {}
    for name in find_bundles(settings.model_dirs):
        model = store.get(name)
        best = {kind: model.classify(data, 1, Spans())[0] for kind, data in formats.items()}
        answers[name] = {kind: [prediction.label, prediction.score] for kind, prediction in best.items()}
        ranked = {sample: model.classify(data, len(model.labels), Spans()) for sample, data in turned.items()}
        samples[name] = {sample: {p.label: p.score for p in predictions} for sample, predictions in ranked.items()}
    read_large(next(iter(images.values())), store.get())
    return {"app": app.app.app_name, "answers": answers, "samples": samples, **loaded((task_root, opt))}


def read_large(image: Any, model: Any) -> None:
    """Read a PNG and a base64 text that are large enough for the libraries which read only such ones."""
    from chalicelib.api import base64_text
    from chalicelib.telemetry import Spans

    file = io.BytesIO()
    image.convert("RGB").resize((1200, 900)).save(file, "PNG")
    model.classify(file.getvalue(), 1, Spans())
    data = bytes(base64_text.SHORT)
    if base64_text.exact(base64.b64encode(data)) != data:
        raise ValueError("base64 is not decoded to what was encoded")


def opened(picture: Path | None) -> dict[str, Any]:
    """The picture, those of a folder by their names, or a grey ramp."""
    from PIL import Image

    if picture is None:
        return {"ramp": Image.linear_gradient("L")}
    files = {file.name: file for file in sorted(picture.iterdir())} if picture.is_dir() else {"picture": picture}
    return {name: Image.open(file) for name, file in files.items()}


def in_all_directions(images: dict[str, Any]) -> dict[str, bytes]:
    """Each image as it is, mirrored and turned, as PNG files: one picture alone would show little."""
    from PIL import Image

    ways = Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180
    turned = {f"{name}, {way.name}": image.transpose(way) for name, image in images.items() for way in ways}
    files = {name: io.BytesIO() for name in (*images, *turned)}
    for name, image in (images | turned).items():
        image.convert("RGB").save(files[name], "PNG")
    return {name: file.getvalue() for name, file in files.items()}


def encoded(image: Any) -> dict[str, bytes]:
    """The image in every format that is served: slimming could have taken any codec away."""
    from chalicelib.inference.formats import FORMATS

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
