"""The models of the engines that do not read .tflite files, or not in 8 bits, made by the engines' own tools.

They are kept in the user's cache: a network, its calibration pictures and a lock file make the same model again.
"""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from benchmarks.peers.environments import LOCKED
from convert.graph import Graph, Op
from convert.graph_parts import add_constant, add_tensor, new_operator
from layers.cache import cached

PROJECT = Path(__file__).parents[2]
HERE = "benchmarks.peers"


def onnx(python: Path, folder: Path, architecture: str = "x86_64") -> dict[str, Path]:
    """ONNX files in float32 (by tf2onnx) and int8 (by ONNX Runtime's quantiser), by mode.

    The int8 one is for `architecture`, by Lambda's name.
    """

    def make(made: Path) -> None:
        made.mkdir()
        flat = made / "float32.tflite"
        flat.write_bytes(with_flat_inputs((folder / "float32.tflite").read_bytes()))
        given = ["--tflite", str(flat), "--output", str(made / "float32.onnx"), "--opset", "18"]
        run(Path(sys.executable), "tf2onnx.convert", *given)
        calibration, int8 = folder / "calibration.npy", made / "int8.onnx"
        run(python, f"{HERE}.quantize_onnx", str(made / "float32.onnx"), str(calibration), str(int8), architecture)

    made = cached("peers", f"{_key('onnxruntime', folder)}-{architecture}", make)
    return {"float32": made / "float32.onnx", "int8": made / "int8.onnx"}


def with_flat_inputs(tflite: bytes) -> bytes:
    """The same network with a reshape before each dense layer whose input has more than two sides.

    Without it tf2onnx 1.17 loses the layer's bias.
    """
    graph = Graph(tflite)
    for dense in [op for op in graph.operators if graph.kind(op) == Op.FULLY_CONNECTED]:
        given, width = int(dense.inputs[0]), int(graph.tensor(dense.inputs[1]).shape[1])
        if len(graph.tensor(given).shape) == 2 or len(graph.tensor(dense.outputs[0]).shape) != 2:
            continue
        name = f"{graph.name(dense)}/flat"
        flat = add_tensor(graph, name, [1, width], graph.tensor(given).type)
        options = schema.ReshapeOptionsT()
        options.newShape = [1, width]
        reshape = new_operator(
            graph, Op.RESHAPE, [given, add_constant(graph, f"{name}/shape", [1, width])], flat, options
        )
        dense.inputs = [flat, *dense.inputs[1:]]
        graph.operators.insert(next(i for i, op in enumerate(graph.operators) if op is dense), reshape)
    return graph.serialize()


def openvino(python: Path, folder: Path) -> dict[str, Path]:
    """OpenVINO's files in float32 and in int8 (by NNCF), by mode."""

    def make(made: Path) -> None:
        made.mkdir()
        written = [str(made / f"{mode}.xml") for mode in ("float32", "int8")]
        given = (folder / "float32.tflite", folder / "calibration.npy")
        run(python, f"{HERE}.quantize_openvino", *map(str, given), *written)

    made = cached("peers", _key("openvino", folder), make)
    return {"float32": made / "float32.xml", "int8": made / "int8.xml"}


MAKERS: Mapping[str, tuple[str, str, Callable[[Path, Path], dict[str, Path]]]] = {
    "onnxruntime": ("ONNX Runtime", "onnxruntime", onnx),
    "openvino": ("OpenVINO", "openvino", openvino),
}
"""By environment: the engine's name in tables, its key of `engines.ENGINES`, what makes its models."""


def run(python: Path, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a module of this project, or of the environment, in a process of that Python: its output.

    Raises SystemExit with its last line if it fails.
    """
    command = [str(python), "-m", module, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, env=environment, check=False)
    if ended.returncode != 0:
        last = (ended.stderr.strip().splitlines() or ["no message"])[-1]
        raise SystemExit(f"error: {module} ended with {ended.returncode}: {last}")
    return ended.stdout


def _key(name: str, folder: Path) -> str:
    """Differs if the network, the pictures, the engine's versions or what makes the model differ."""
    digest = hashlib.sha256()
    scripts = sorted(Path(__file__).parent.glob("quantize_*.py"))
    for path in (folder / "float32.tflite", folder / "calibration.npy", LOCKED[name], *scripts, Path(__file__)):
        digest.update(path.read_bytes())
    return f"{name}-model-{digest.hexdigest()[:16]}"
