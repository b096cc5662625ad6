"""Time from a new process to its first answer: the packaged function, and the same job in TensorFlow and Keras.

The function's zip, the runtime layer and the model layer with Inception v3 are unpacked as Lambda lays them out.
A process that sees nothing else answers one API Gateway event. The variants take turns; the first round fills
the disk cache and does not count. Without bytecode, Python compiles at every start, as it would on Lambda's
read-only file system.

    python -m benchmarks.cold_start [--rounds 9] [--against ANOTHER_CHECKOUT]
"""

import argparse
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.machine import processor
from convert.__main__ import main as convert
from convert.arguments import count
from convert.screen import console, quiet_libraries
from layers.build.bytecode import compile_modules
from layers.build.function import function_contents
from layers.build.wheels import REQUIREMENTS, download, unpack
from layers.targets import local_target

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
PARTS = ("python_ms", "import_ms", "model_load_ms", "first_inference_ms")
KERAS = "TensorFlow and Keras"
CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
AS_DEPLOYED = json.loads((PROJECT / ".chalice" / "config.json").read_text())["environment_variables"]


def prepare(folder: Path, other: Path | None) -> dict[str, list[str]]:
    """Write everything below `folder`; returns the command line of each variant. `other` is a second checkout."""
    event, picture = write_event(folder)
    bundles = folder / "bundles"
    given = ["inception_v3", "--weights", "none", "--out", str(bundles)]
    if convert(given) != 0:
        raise SystemExit("Inception v3 cannot be converted")
    wheels = download(local_target(), REQUIREMENTS, folder / "wheels")
    commands = {}
    for name, (project, slimmed, bytecode) in variants(other).items():
        task, opt = lay_out(folder / name, project, wheels, bundles, slimmed, bytecode)
        script = str(HERE / "answer_event.py")
        commands[name] = [sys.executable, "-I", "-S", "-B", script, str(task), str(opt), str(event)]
    return {**commands, KERAS: keras_command(folder, picture)}


def variants(other: Path | None) -> dict[str, tuple[Path, bool, bool]]:
    """Name to project, whether its layer is slimmed, and whether it has bytecode."""
    layers, modules = {True: "slimmed", False: "whole wheels"}, {True: "bytecode", False: "no bytecode"}
    own = {
        f"{layers[slimmed]}, {modules[bytecode]}": (PROJECT, slimmed, bytecode)
        for slimmed in layers
        for bytecode in modules
    }
    return own | ({f"slimmed, bytecode, {other.resolve().name}": (other, True, True)} if other else {})


def write_event(folder: Path) -> tuple[Path, Path]:
    """An API Gateway event for `POST /predict`, and its picture: a smooth one of 640x480."""
    picture = folder / "picture.jpg"
    gradient = Image.linear_gradient("L").resize((640, 480))
    Image.merge("RGB", (gradient, gradient.rotate(180), gradient)).save(picture, quality=90)
    image = base64.b64encode(picture.read_bytes()).decode()
    event: dict[str, Any] = {
        "requestContext": {"httpMethod": "POST", "resourcePath": "/predict", "requestId": "benchmark"},
        "headers": {"content-type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": json.dumps({"image": image}),
        "isBase64Encoded": False,
    }
    (folder / "event.json").write_text(json.dumps(event))
    return folder / "event.json", picture


def lay_out(
    root: Path, project: Path, wheels: list[Path], bundles: Path, slimmed: bool, bytecode: bool
) -> tuple[Path, Path]:
    """Unpack the project's function and the layers: (/var/task, /opt)."""
    task, opt = root / "task", root / "opt"
    function_contents(project).extract(task)
    if slimmed:
        unpack(wheels, opt / "python")
    else:
        for wheel in wheels:
            zipfile.ZipFile(wheel).extractall(opt / "python")
    (task / "models").symlink_to(bundles)
    if bytecode:
        for folder in (task, opt / "python"):
            compile_modules(Path(sys.executable), folder, str(folder))
    return task, opt


def keras_command(folder: Path, picture: Path) -> list[str]:
    """Save the whole network, 96 MB; returns the command line that loads it and answers."""
    with quiet_libraries():
        import keras

        keras.applications.InceptionV3(weights=None).save(folder / "inception_v3.keras")
    return [sys.executable, str(HERE / "answer_with_keras.py"), str(folder / "inception_v3.keras"), str(picture)]


def answer_once(command: list[str]) -> dict[str, float]:
    """Start a process and wait for its first answer: the whole time, and the parts that its log states, in ms."""
    env = CLEAN if command[1].endswith(".py") else {**CLEAN, **AS_DEPLOYED}
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "answered\n":
                break
        total = (time.perf_counter() - began) * 1000
    if process.returncode != 0:
        raise SystemExit(f"no answer from {' '.join(command)}")
    logged: list[dict[str, Any]] = [json.loads(line) for line in lines if "cold_start_ms" in line]
    return {**(logged[0]["cold_start_ms"] if logged else {}), "answered_ms": total}


def measure(commands: dict[str, list[str]], rounds: int) -> dict[str, dict[str, float]]:
    """Median of each part of each variant, in ms; the variants take turns."""
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for number in track(range(rounds + 1), "Starting processes", console=console):
        for name, command in commands.items():
            run = answer_once(command)
            if number:
                runs[name].append(run)
    return {name: {part: statistics.median(r[part] for r in rs) for part in rs[0]} for name, rs in runs.items()}


def show(medians: dict[str, dict[str, float]], rounds: int) -> None:
    """Print the table, with each variant's share of the time of Keras."""
    title = f"New process to first answer, Inception v3, ms, medians of {rounds}, {processor()}"
    table = Table(title=title)
    for column in ("", "start", "import", "load", "first inference", "first answer", "of Keras"):
        table.add_column(column, justify="right" if column else "left")
    whole = medians[KERAS]["answered_ms"]
    for name, parts in medians.items():
        split = [f"{parts[part]:.0f}" if part in parts else "" for part in PARTS]
        table.add_row(name, *split, f"{parts['answered_ms']:.0f}", f"1/{whole / parts['answered_ms']:.1f}")
    Console(width=110).print(table)


def main() -> int:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=count, default=9, metavar="N", help="starts of each (default %(default)s)")
    parser.add_argument("--against", type=Path, metavar="DIR", help="another checkout, to compare its function")
    options = parser.parse_args()
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with tempfile.TemporaryDirectory() as folder:
        commands = prepare(Path(folder), options.against)
        show(measure(commands, options.rounds), options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
