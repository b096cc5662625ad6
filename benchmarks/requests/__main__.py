"""A warm `POST /predict` through the packaged function, beside the bare inference of the same model on one thread.

Inception v3 with random weights, in int8 and in dynamic range. The picture comes in JSON, as base64 in the base64 of
the REST API's event. Request and inference take turns in one process, and their processor time is measured. "ratio" is
the median of the rounds' ratios of request to inference. The parts are measured one by one, after the request; what
they leave of it is "the rest": Chalice, the request's record, its log line and the response.

    python -m benchmarks.requests [--rounds 15] [--processor avx2] [--photograph FILE] [--models DIR] [--out FILE.json]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.hostile import packaged
from benchmarks.requests.pictures import KINDS, event, written
from convert.arguments import count
from localaws.processor import mask_option
from localaws.processor.mask import Shown
from localaws.processor.share import MEMORY_MB_PER_VCPU

PROCESS = Path(__file__).with_name("process.py")
MODES = ("int8", "dynamic")
BARS = {"500x375 JPEG": 1.03, "12-megapixel JPEG": 1.15, "1600x1200 PNG": 1.5}
"""The ratio that is accepted with int8 on AVX2."""
REST = "the rest"
_FUNCTION = {
    "NUM_THREADS": "1",
    "AWS_LAMBDA_FUNCTION_NAME": "benchmark",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB_PER_VCPU),
    "AWS_REGION": "us-east-1",
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
}
Found = dict[str, dict[str, Any]]
"""By picture: `bytes`, `request_ms`, `inference_ms`, `ratio`, and `parts_ms` by part."""


def convert_models(folder: Path, pictures: Path) -> None:
    """Write both bundles below `folder`; the int8 one is calibrated on `pictures`."""
    from convert.__main__ import main as convert  # TensorFlow takes seconds to import

    for mode in MODES:
        given = ["inception_v3", "--weights", "none", "--quantize", mode, "--name", mode, "--out", str(folder)]
        if convert([*given, *(["--calibration", str(pictures)] if mode == "int8" else [])]) != 0:
            raise SystemExit(f"Inception v3 cannot be converted to {mode}")


def write_pictures(folder: Path, photograph: Path | None) -> dict[str, int]:
    """Write every kind's picture and its event below `folder`; the bytes of each picture."""
    sizes = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        data = written(kind, photograph)
        (folder / f"{number}.{kind.image_format.lower()}").write_bytes(data)
        (folder / f"{number}.json").write_text(json.dumps(event(data)))
        sizes[name] = len(data)
    return sizes


def ask(laid: Path, model: str, models: Path, pictures: Path, rounds: int, shown: Shown) -> dict[str, Any]:
    """The rounds of one model in a process that sees nothing but the function and the layer."""
    events = [f"{name}={pictures / f'{number}.json'}" for number, name in enumerate(KINDS)]
    command = [sys.executable, "-I", "-S", "-B", str(PROCESS), str(laid / "task"), str(laid / "opt"), str(rounds)]
    env = {**_FUNCTION, "MODEL_DIR": str(models), "MODEL_NAME": model, **shown.environment}
    done = subprocess.run([*command, *events], env=env, stdout=subprocess.PIPE, text=True, check=True)
    answered: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answered


def medians(rounds: dict[str, list[dict[str, float]]], sizes_bytes: dict[str, int]) -> Found:
    """What is shown of one model: medians, the median of the ratios, and what the parts leave of the request."""
    found: Found = {}
    for name, times in rounds.items():
        middle = {part: statistics.median(each[part] for each in times) for part in times[0]}
        request, inference = middle.pop("request"), middle.pop("inference")
        parts = {**middle, REST: max(0.0, request - inference - sum(middle.values()))}
        ratio = statistics.median(each["request"] / each["inference"] for each in times)
        found[name] = {"bytes": sizes_bytes[name], "request_ms": request, "inference_ms": inference, "ratio": ratio}
        found[name]["parts_ms"] = parts
    return found


def table(found: Found, title: str) -> Table:
    """A column for each picture: the request, the inference, the ratio, and each part."""
    made = Table("ms", title=title, title_justify="left")
    for name in found:
        made.add_column(name, justify="right")
    made.add_row("MB", *(f"{of['bytes'] / 1e6:.2f}" for of in found.values()))
    for what in ("request_ms", "inference_ms"):
        made.add_row(what.removesuffix("_ms"), *(f"{of[what]:.1f}" for of in found.values()))
    made.add_row("ratio", *(f"{of['ratio']:.3f}" for of in found.values()), end_section=True)
    for part in next(iter(found.values()))["parts_ms"]:
        made.add_row(part, *(f"{of['parts_ms'][part]:.2f}" for of in found.values()))
    return made


def make_parser() -> argparse.ArgumentParser:
    """The options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.requests", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=count, default=15, metavar="N", help="of each picture (default %(default)s)")
    parser.add_argument("--photograph", type=Path, metavar="FILE", help="the picture that is enlarged (default: drawn)")
    parser.add_argument(
        "--models", type=Path, metavar="DIR", help="bundles called int8 and dynamic (default: converted)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures as JSON, too")
    mask_option.add_option(parser)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Prepare, measure, print; the bars are printed beside the figures, and a missed one is no failure of the tool."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    shown = machine.shown(parser, options.processor)
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    models: dict[str, Found] = {}
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        laid, pictures = Path(scratch, "laid"), Path(scratch, "pictures")
        pictures.mkdir()
        sizes = write_pictures(pictures, options.photograph)
        bundles = options.models or Path(scratch, "models")
        if options.models is None:
            convert_models(bundles, pictures)
        packaged.lay_out(laid)
        for mode in MODES:
            models[mode] = medians(ask(laid, mode, bundles, pictures, options.rounds, shown), sizes)
            title = f"Warm POST /predict, Inception v3 {mode}, 1 thread, medians of {options.rounds}\n{shown.heading}"
            Console(width=150).print(table(models[mode], title))
    for name, bar in BARS.items():
        print(f"{name}: {models['int8'][name]['ratio']:.3f} of the inference; the aim on AVX2 is at most {bar}")
    if options.out:
        facts = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": shown.heading,
            "rounds": options.rounds,
            "models": models,
        }
        machine.write_json(options.out, facts)
    return 0


if __name__ == "__main__":
    sys.exit(main())
