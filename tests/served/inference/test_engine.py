import importlib.util
import sys
from pathlib import Path

import pytest

from chalicelib.config import ENGINES
from chalicelib.errors import EngineError
from chalicelib.inference.engine import PACKAGES, Engine, find_engine
from tests.support.bundles import TINY_DIR

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
