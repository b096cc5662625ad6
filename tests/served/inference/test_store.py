import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.config import Settings
from chalicelib.errors import EngineError, ModelError, UnknownModel
from chalicelib.inference import store as store_module
from chalicelib.inference.registry import CARD_FILE, load_bundle
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import ColdStart
from tests.support.bundles import DAMAGES, write_bundle
from tests.support.engines import without_xnnpack


def store_of(*directories, **settings) -> ModelStore:
    return ModelStore(Settings(model_dirs=directories, **settings))


class MissedByAll(dict):
    """Loaded models: each thread's first look finds nothing, and returns when all threads have looked."""

    def __init__(self, threads) -> None:
        super().__init__()
        self._all_have_looked = threading.Barrier(threads)
        self._own = threading.local()

    def get(self, name):
        if not hasattr(self._own, "has_looked"):
            self._own.has_looked = True
            self._all_have_looked.wait(10)
            return None
        return super().get(name)


class TestGet:
    def test_each_model_is_loaded_once(self, models_dir):
        store = store_of(models_dir)
        assert store.get() is store.get() is store.get("channels_float")

    def test_by_name(self, models_dir):
        write_bundle(models_dir, "channels_int8")
        store = store_of(models_dir)
        assert store.get("channels_int8").card.name == "channels_int8"
        assert store.get().card.name == "channels_float"

    def test_the_settings_name_the_default(self, models_dir):
        write_bundle(models_dir, "channels_int8")
        assert store_of(models_dir, model_name="channels_int8").get().card.name == "channels_int8"

    def test_the_first_directorys_bundle_is_the_default(self, tmp_path):
        write_bundle(tmp_path / "a", "channels_uint8", name="z")
        write_bundle(tmp_path / "b", name="a")
        assert store_of(tmp_path / "a", tmp_path / "b").default_name() == "z"

    @pytest.mark.parametrize("name", ["nobody", "../channels_float", "/etc/passwd", ".", "channels_float/", "a\nb"])
    def test_an_unknown_name_tells_the_known_ones(self, models_dir, name):
        with pytest.raises(UnknownModel) as caught:
            store_of(models_dir).get(name)
        assert str(caught.value) == f"no model is called {name!r}; installed: channels_float"

    def test_a_very_long_name_is_cut_in_the_message(self, models_dir):
        with pytest.raises(UnknownModel) as caught:
            store_of(models_dir).get("x" * 10_000)
        assert len(str(caught.value)) < 200

    def test_a_default_that_is_not_installed_is_the_installations_fault(self, models_dir):
        with pytest.raises(ModelError, match="the default model 'flowers' is not installed; installed: channels_float"):
            store_of(models_dir, model_name="flowers").get()

    def test_no_model_at_all(self, tmp_path):
        with pytest.raises(ModelError, match="no model is installed"):
            store_of(tmp_path).get()

    def test_an_engine_that_is_not_installed(self, models_dir, engine):
        other = "tflite-runtime" if engine.name == "litert" else "litert"
        with pytest.raises(EngineError, match=f"ENGINE={other}"):
            store_of(models_dir, engine=other).get()

    def test_the_settings_reach_the_classifier(self, models_dir, engine):
        classifier = store_of(models_dir, engine=engine.name, num_threads=2).get()
        assert (classifier.engine.name, classifier.num_threads) == (engine.name, 2)


class TestDamage:
    @pytest.mark.parametrize("name", DAMAGES)
    def test_a_damaged_bundle_is_one_clear_error_and_loads_once_mended(self, models_dir, name):
        damage, complaint = DAMAGES[name]
        damage(models_dir / "channels_float")
        store = store_of(models_dir)
        for _ in range(2):
            with pytest.raises(ModelError) as caught:
                store.get()
            assert complaint in str(caught.value)
            assert str(models_dir) not in str(caught.value)
        shutil.rmtree(models_dir / "channels_float")
        write_bundle(models_dir)
        assert store.get().card.name == "channels_float"

    def test_another_model_serves_meanwhile(self, models_dir):
        write_bundle(models_dir, "channels_int8")
        (models_dir / "channels_float" / "model.tflite").write_bytes(b"")
        store = store_of(models_dir)
        with pytest.raises(ModelError):
            store.get()
        assert store.get("channels_int8").card.name == "channels_int8"

    def test_a_loaded_model_outlives_its_files(self, models_dir):
        store = store_of(models_dir)
        loaded = store.get()
        shutil.rmtree(models_dir)
        assert store.get() is loaded
        loaded.warm()


class TestThreads:
    def test_eight_threads_at_once_load_it_once(self, models_dir, monkeypatch):
        store, loads, second = store_of(models_dir), [], threading.Event()
        store._loaded = MissedByAll(8)

        def load(path, quick):
            loads.append(path)
            if len(loads) > 1:
                second.set()
            second.wait(0.2)  # holds the first load open for a second one, which a lost lock would let in
            return load_bundle(path, quick)

        monkeypatch.setattr(store_module, "load_bundle", load)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: store.get(), range(8)))
        assert len({id(classifier) for classifier in found}) == 1
        assert len(loads) == 1


class TestColdStart:
    def test_the_first_load_and_inference_are_recorded_where_the_store_says(self, models_dir):
        cold_start = ColdStart()
        ModelStore(Settings(model_dirs=(models_dir,)), cold_start).get().warm()
        assert list(cold_start.breakdown()) == ["model_load_ms", "first_inference_ms", "total_ms"]


class TestFirstAnswer:
    def test_it_is_empty_until_a_model_is_loaded_and_after_the_first_time(self, models_dir):
        write_bundle(models_dir, "channels_int8")
        store = store_of(models_dir, memory_mb=1769)
        assert store.first_answer() == {}
        for name in ("channels_int8", "channels_float"):
            store.get(name).warm()
        first = store.first_answer()
        assert (first["model"], first["memory_mb"], first["threads"]) == ("channels_int8", 1769, 1)
        assert set(first["cold_start_ms"]) == {"model_load_ms", "first_inference_ms", "total_ms"}
        assert store.first_answer() == {}

    def test_the_warnings_are_there_only_if_there_are_some(self, models_dir, engine, monkeypatch):
        monkeypatch.setattr("chalicelib.inference.classifier.processor_features", list)
        found = []
        for chosen in (engine, without_xnnpack(engine)):
            store = store_of(models_dir)
            store._engine = chosen
            store.get()
            found.append(store.first_answer())
        assert [first["outside_delegate"] for first in found] == [0, 1]
        assert "warnings" not in found[0]
        assert found[1]["warnings"] == ["without_delegate"]

    def test_what_is_not_known_is_null(self, models_dir, monkeypatch):
        monkeypatch.setattr("chalicelib.inference.classifier.delegated", lambda _: None)
        store = store_of(models_dir)
        store.get()
        assert store.first_answer()["outside_delegate"] is None


class TestCards:
    def test_every_card_and_which_is_the_default(self, models_dir):
        write_bundle(models_dir, "channels_int8")
        cards = store_of(models_dir).cards()
        assert [(card["name"], card["quantization"], card["default"]) for card in cards] == [
            ("channels_float", "float32", True),
            ("channels_int8", "int8", False),
        ]

    def test_a_card_that_cannot_be_read_is_listed_with_the_reason(self, models_dir):
        (models_dir / "channels_float" / CARD_FILE).write_text("{")
        assert store_of(models_dir).cards() == [
            {
                "name": "channels_float",
                "error": "model.json cannot be read as JSON: copy the bundle again",
                "default": True,
            }
        ]

    def test_none(self, tmp_path):
        assert store_of(tmp_path).cards() == []
