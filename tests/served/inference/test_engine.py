import importlib
import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from chalicelib.config import EMBEDDED_MODELS, ENGINES
from chalicelib.errors import EngineError
from chalicelib.inference.engine import FEATURES, PACKAGES, Engine, delegated, find_engine, processor_features
from tests.support.bundles import TINY_DIR
from tests.support.engines import Node, fake_interpreter, without_xnnpack

INSTALLED = {name: importlib.util.find_spec(package) is not None for name, package in PACKAGES.items()}


class RecordingInterpreter:
    """Stands in for an engine's interpreter and keeps what it was asked."""

    def __init__(self, **asked) -> None:
        self.asked, self.allocated = asked, 0

    def allocate_tensors(self) -> None:
        self.allocated += 1


class TestFindEngine:
    def test_auto_prefers_litert(self):
        assert find_engine("auto").name == ("litert" if INSTALLED["litert"] else "tflite-runtime")

    @pytest.mark.parametrize("name", INSTALLED)
    def test_by_name_it_is_that_one_or_an_error(self, name):
        if INSTALLED[name]:
            engine = find_engine(name)
            assert engine.name == name
            assert engine.version[0].isdigit()
        else:
            with pytest.raises(EngineError) as caught:
                find_engine(name)
            assert str(caught.value) == f"no inference engine can be imported (ENGINE={name})"
            assert isinstance(caught.value.__cause__, ExceptionGroup)
            assert len(caught.value.__cause__.exceptions) == 1

    def test_a_wheel_that_raises_another_error_than_importerror(self, tmp_path, monkeypatch):
        (tmp_path / "ai_edge_litert.py").write_text("raise OSError('wrong ELF class: ELFCLASS32')")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "ai_edge_litert", raising=False)
        with pytest.raises(EngineError) as caught:
            find_engine("litert")
        assert [repr(e) for e in caught.value.__cause__.exceptions] == ["OSError('wrong ELF class: ELFCLASS32')"]

    def test_the_setting_knows_every_engine(self):
        assert ("auto", *PACKAGES) == ENGINES


class TestLoad:
    def test_the_tensors_are_allocated_and_the_threads_passed_on(self):
        interpreter = Engine("fake", "1", RecordingInterpreter).load(Path("m.tflite"), 3)
        assert (interpreter.asked, interpreter.allocated) == ({"model_path": "m.tflite", "num_threads": 3}, 1)

    def test_a_real_model(self, engine):
        interpreter = engine.load(TINY_DIR / "channels_float.tflite", 1)
        assert [list(tensor["shape"]) for tensor in interpreter.get_input_details()] == [[1, 8, 8, 3]]


CPU = Path("/proc/cpuinfo")
NUMPYS = "numpy._core._multiarray_umath"
NEOVERSE_N1 = {"NEON": True, "ASIMD": True, "ASIMDHP": True, "ASIMDDP": True, "SVE": False, "AVX2": False}
HASWELL = {"AVX": True, "AVX2": True, "AVX512F": False, "AVX512VNNI": False, "ASIMDDP": False}


class TestProcessorFeatures:
    def test_they_are_in_cpuinfo_by_the_same_names(self):
        if not CPU.exists():
            pytest.skip("there is no /proc/cpuinfo")
        flags = re.search(r"^(?:flags|Features)\s*:(.*)$", CPU.read_text(), re.M)
        assert flags and set(processor_features()) <= set(flags[1].split())

    def test_numpy_knows_every_name(self):
        if np.__version__ < "2":
            pytest.skip("this NumPy is older than what Lambda gets")
        assert set(FEATURES) <= set(importlib.import_module(NUMPYS).__cpu_features__)

    @pytest.mark.parametrize(
        ("shown", "want"),
        [
            (NEOVERSE_N1, ["asimddp"]),
            ({**NEOVERSE_N1, "SVE": True}, ["asimddp", "sve"]),
            (HASWELL, ["avx2"]),
            ({**HASWELL, "AVX512F": True, "AVX512VNNI": True}, ["avx2", "avx512f", "avx512_vnni"]),
            ({}, []),
        ],
        ids=["Graviton2", "Graviton3", "AVX2", "VNNI", "another processor"],
    )
    def test_the_kernels_names(self, monkeypatch, shown, want):
        monkeypatch.setattr(importlib.import_module(NUMPYS), "__cpu_features__", shown)
        assert processor_features() == want

    def test_a_numpy_that_does_not_show_them(self, monkeypatch):
        monkeypatch.setitem(sys.modules, NUMPYS, SimpleNamespace())
        assert processor_features() == []


def shown(interpreter) -> tuple[int, int, dict[str, int]] | None:
    found = delegated(interpreter)
    return found and (found.operators, found.partitions, found.outside)


CHAIN: list[Node] = [("CONV_2D", [0, 9, -1], [1]), ("POOL", [1], [2]), ("CONV_2D", [2, 8], [3]), ("POOL", [3], [4])]
FORK: list[Node] = [("CONV_2D", [0], [1]), ("POOL", [1], [2]), ("CONV_2D", [1], [3]), ("CONCATENATION", [2, 3], [4])]
DIGITS = EMBEDDED_MODELS / "digits" / "model.tflite"


class TestDelegated:
    @pytest.mark.parametrize(
        ("operators", "delegates", "want"),
        [
            (CHAIN, [], (4, 0, {"CONV_2D": 2, "POOL": 2})),
            (CHAIN, [("DELEGATE", [0, 8, 9], [4])], (4, 1, {})),
            (CHAIN, [("DELEGATE", [0, 9], [1]), ("DELEGATE", [2, 8], [3])], (4, 2, {"POOL": 2})),
            (CHAIN, [("DELEGATE", [0, 8, 9], [3])], (4, 1, {"POOL": 1})),
            (CHAIN, [("DELEGATE", [1, 8], [4])], (4, 1, {"CONV_2D": 1})),
            (FORK, [("DELEGATE", [0], [1, 3]), ("DELEGATE", [2, 3], [4])], (4, 2, {"POOL": 1})),
            (FORK, [("DELEGATE", [0], [1, 2])], (4, 1, {"CONCATENATION": 1, "CONV_2D": 1})),
            ([], [], (0, 0, {})),
        ],
        ids=["none", "all", "two parts", "all but the end", "all but the start", "around", "a branch", "no graph"],
    )
    def test_what_is_outside(self, operators, delegates, want):
        assert shown(fake_interpreter(operators + delegates, [4])) == want

    def test_the_most_common_come_first(self):
        nodes: list[Node] = [("B", [0], [1]), ("C", [1], [2]), ("A", [2], [3]), ("C", [3], [4])]
        found = delegated(fake_interpreter(nodes, [4]))
        assert found and (list(found.outside), found.outside_count) == (["C", "A", "B"], 4)

    @pytest.mark.parametrize("held", [1, 0])
    def test_a_real_model(self, engine, held):
        chosen = engine if held else without_xnnpack(engine)
        interpreter = chosen.load(TINY_DIR / "background_float.tflite", 1)
        names = {"FULLY_CONNECTED": 1, "MEAN": 1, "SOFTMAX": 1}
        assert shown(interpreter) == (3, held, {} if held else names)
        interpreter.invoke()  # which raises while something refers to the engine's inside

    def test_a_real_model_in_several_partitions(self, engine):
        interpreter = engine.load(DIGITS, 1)
        if engine.name == "tflite-runtime":  # its XNNPACK takes no graph of int8
            assert shown(interpreter)[:2] == (53, 0)
        else:
            assert shown(interpreter) == (53, 5, {"AVERAGE_POOL_2D": 3, "CONCATENATION": 1})
            assert len(inside(interpreter)) == 53 - 4

    @pytest.mark.parametrize("interpreter", [object(), SimpleNamespace(_interpreter=object())])
    def test_an_engine_that_does_not_show_it(self, interpreter):
        assert delegated(interpreter) is None

    def test_an_engine_that_shows_it_in_another_form(self):
        graph = fake_interpreter(CHAIN, [4])._interpreter
        graph.NodeOutputs = lambda _: None
        assert delegated(SimpleNamespace(_interpreter=graph)) is None

    def test_an_engine_that_refuses_to_show_it(self):
        def refuse(_):
            raise RuntimeError("Interpreter has no node 3")

        graph = fake_interpreter(CHAIN, [4])._interpreter
        graph.NodeName = refuse
        assert delegated(SimpleNamespace(_interpreter=graph)) is None


def inside(interpreter) -> set[int]:
    """The operators that XNNPACK holds, found from the other side: between each partition's outputs and its inputs."""
    graph, found = interpreter._interpreter, set()
    nodes = range(graph.NumNodes())
    delegates = [node for node in nodes if graph.NodeName(node) == "DELEGATE"]
    writers = {tensor: node for node in nodes if node not in delegates for tensor in graph.NodeOutputs(node).tolist()}
    for delegate in delegates:
        ends, tensors = set(graph.NodeInputs(delegate).tolist()), graph.NodeOutputs(delegate).tolist()
        while tensors:
            tensor = tensors.pop()
            if tensor in writers and tensor not in ends and writers[tensor] not in found:
                found.add(writers[tensor])
                tensors += graph.NodeInputs(writers[tensor]).tolist()
    return found
