"""A model that is fetched: once for all requests, again when it has changed, never in place of one that works."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chalicelib.config import Settings
from chalicelib.errors import ModelError, StorageError
from chalicelib.inference.registry import LABELS_FILE, MODEL_FILE
from chalicelib.inference.remote import CHECK_EVERY_S, PAUSE_S, RESTARTS, Fetched, RemoteModel
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import ColdStart
from tests.support.bundles import write_bundle


class FakeSource:
    """Each fetch takes the next of `steps`: a folder, None (unchanged), an error to raise, or a function that gives one
    of these. `folders` are those that were kept."""

    name = "own"
    shown_uri = "s3://bucket/models/own/"

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.known: list[tuple[str, str] | None] = []
        self.kept: list[Path] = []

    def fetch(self, known: tuple[str, str] | None) -> Fetched | None:
        self.known.append(known)
        step = self.steps.pop(0)
        step = step() if callable(step) else step
        if isinstance(step, Exception):
            raise step
        return None if step is None else Fetched(step, (f"etag {len(self.known)}", "now"), 412)

    def keep(self, fetched: Fetched) -> None:
        self.kept.append(fetched.path)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bundles(tmp_path) -> tuple[Path, Path]:
    """Two of the same name."""
    return write_bundle(tmp_path / "a", name="own"), write_bundle(tmp_path / "b", "channels_int8", name="own")


@pytest.fixture
def remote(clock) -> Iterator[Callable[..., RemoteModel]]:
    def make(source: FakeSource, wait_s: float = 10) -> RemoteModel:
        load = ModelStore(Settings(model_dirs=()))._load_from
        return RemoteModel(source, load, ColdStart(), clock, wait_s)

    yield make
    settle()


def settle() -> None:
    """Wait for the threads that fetch."""
    for thread in threading.enumerate():
        if thread.name == "model-fetch":
            thread.join(10)


def quantization(model: RemoteModel) -> str:
    return model.get().card.quantization


class TestFirst:
    def test_two_requests_at_once_share_one_fetch(self, remote, bundles):
        both_wait = threading.Event()
        source = FakeSource(lambda: both_wait.wait(10) and bundles[0])
        model = remote(source)
        with ThreadPoolExecutor(2) as pool:
            answers = [pool.submit(model.get) for _ in range(2)]
            both_wait.set()
        assert answers[0].result() is answers[1].result()
        assert source.known == [None] and source.kept == [bundles[0]]

    @pytest.mark.parametrize("error", [StorageError("s3 does not answer"), ModelError("access denied")])
    def test_a_failure_is_each_requests_until_the_pause_is_over(self, remote, bundles, clock, error):
        source = FakeSource(error, bundles[0])
        model = remote(source)
        for _ in range(5):
            with pytest.raises(type(error), match=str(error)):
                model.get()
        assert len(source.known) == 1, "the bucket is not asked again"
        assert model.origin() == {"uri": source.shown_uri, "error": str(error)}
        clock.now += PAUSE_S
        assert quantization(model) == "float32"
        assert "error" not in model.origin()

    def test_pauses_grow_and_have_an_end(self, remote, clock):
        source = FakeSource(*[StorageError("no")] * 12)
        model, pauses, began = remote(source), [], clock.now
        for calls in range(1, 12):
            while len(source.known) < calls:
                clock.now += 1
                with pytest.raises(StorageError):
                    model.get()
            pauses.append(clock.now - began)
            began = clock.now
        assert pauses[1:] == [5, 10, 20, 40, *[CHECK_EVERY_S] * 6]

    def test_one_that_takes_long_goes_on_while_requests_get_an_error(self, remote, bundles):
        go_on = threading.Event()
        source = FakeSource(lambda: go_on.wait(10) and bundles[0])
        model = remote(source, wait_s=0.01)
        for _ in range(2):
            with pytest.raises(ModelError, match=r"model 'own' is still being fetched from s3://bucket/models/own/"):
                model.get()
        go_on.set()
        settle()
        assert quantization(model) == "float32"
        assert source.known == [None]

    def test_what_nobody_foresaw_is_an_error_of_the_model(self, remote):
        with pytest.raises(ModelError, match=r"cannot be fetched and loaded \(ZeroDivisionError\)"):
            remote(FakeSource(lambda: 1 / 0)).get()

    @pytest.mark.parametrize("name", [MODEL_FILE, LABELS_FILE])
    def test_a_damaged_one_is_not_loaded(self, remote, bundles, name):
        (bundles[0] / name).write_bytes(b"damaged")
        source = FakeSource(bundles[0], None)
        with pytest.raises(ModelError, match=name):
            remote(source).get()
        assert source.kept == [] and source.known == [None, ("etag 1", "now")]

    def test_parts_of_two_uploads_are_fetched_again_if_the_card_has_changed(self, remote, bundles, tmp_path):
        mixed = write_bundle(tmp_path / "mixed", name="own")
        (mixed / MODEL_FILE).write_bytes((bundles[1] / MODEL_FILE).read_bytes())
        source = FakeSource(mixed, bundles[1])
        assert quantization(remote(source)) == "int8"
        assert source.kept == [bundles[1]]

    def test_but_not_without_end(self, remote, bundles):
        (bundles[0] / MODEL_FILE).write_bytes(b"damaged")
        source = FakeSource(*[bundles[0]] * 10)
        with pytest.raises(ModelError):
            remote(source).get()
        assert len(source.known) == 1 + RESTARTS


class TestRefresh:
    def test_it_is_looked_for_only_when_it_is_time(self, remote, bundles, clock):
        source = FakeSource(bundles[0], None, None)
        model = remote(source)
        for later in (0, CHECK_EVERY_S - 1, 1, 0, 1, CHECK_EVERY_S, 0):
            clock.now += later
            assert quantization(model) == "float32"
            settle()
        assert source.known == [None, ("etag 1", "now"), ("etag 1", "now")]

    def test_the_old_model_answers_until_the_new_one_is_there(self, remote, bundles, clock):
        go_on = threading.Event()
        source = FakeSource(bundles[0], lambda: go_on.wait(10) and bundles[1])
        model = remote(source)
        old = model.get()
        clock.now += CHECK_EVERY_S
        assert [model.get() for _ in range(3)] == [old] * 3
        assert model.origin()["etag"] == "etag 1"
        go_on.set()
        settle()
        assert quantization(model) == "int8" and model.origin()["etag"] == "etag 2"
        assert source.kept == list(bundles)

    @pytest.mark.parametrize("what", ["network", "damaged", "no numbers", "disk"])
    def test_a_new_one_that_does_not_work_replaces_none_that_does(self, remote, bundles, clock, tmp_path, what):
        if what == "damaged":
            (bundles[1] / MODEL_FILE).write_bytes(b"damaged")
        bad: Any = StorageError("away") if what == "network" else bundles[1]
        if what == "no numbers":
            bad = write_bundle(tmp_path / "c", "not_a_number", name="own")
        source = FakeSource(bundles[0], bad, *([None] if what == "damaged" else []), bundles[0])
        model = remote(source)
        old = model.get()
        if what == "disk":
            source.keep = Full()  # type: ignore[method-assign]
        clock.now += CHECK_EVERY_S
        assert model.get() is old
        settle()
        assert model.get() is old
        assert "error" in model.origin()
        if what == "disk":
            source.keep = lambda fetched: None  # type: ignore[method-assign]
        clock.now += CHECK_EVERY_S
        model.get()
        settle()
        assert model.get() is not old and "error" not in model.origin()


class Full:
    def __call__(self, fetched: Fetched) -> None:
        raise ModelError("cannot be written to /tmp")
