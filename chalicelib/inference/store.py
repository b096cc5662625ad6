"""The models of this process. Each is loaded once, when it is first needed, and then kept."""

import platform
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.config import Settings
from chalicelib.errors import ModelError, ServiceError, UnknownModel
from chalicelib.inference.card import ModelCard
from chalicelib.inference.classifier import Classifier
from chalicelib.inference.engine import Engine, find_engine, processor_features
from chalicelib.inference.registry import find_bundles, load_bundle, load_card
from chalicelib.telemetry import ColdStart, milliseconds_since

if TYPE_CHECKING:
    from chalicelib.inference.remote import RemoteModel, Source


class ModelStore:
    """Finds bundles and loads them on demand. Safe to share between threads."""

    def __init__(self, settings: Settings, cold_start: ColdStart | None = None, source: "Source | None" = None) -> None:
        """`cold_start` records `model_load_ms` and `first_inference_ms`; None: nobody reads them.

        The API reports `telemetry.cold_start`, so `runtime` passes that one. `source` has a bundle that is not on this
        machine's disk yet; it takes the place of one of the same name that is.
        """
        self._settings, self._cold_start = settings, cold_start or ColdStart()
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._loaded: dict[str, Classifier] = {}
        self._default_name: str | None = settings.model_name
        self._remote = None if source is None else self._remote_model(source)

    def get(self, name: str | None = None) -> Classifier:
        """The classifier called `name`, or the default one.

        Raises UnknownModel if no model of this name is installed, ModelError or EngineError if the model does not
        load, StorageError if it cannot be fetched. A failure is not remembered: the next call tries again, but for a
        model that is fetched only after a pause.
        """
        wanted = name or self.default_name()
        if self._remote is not None and wanted == self._remote.name:
            return self._remote.get()
        classifier = self._loaded.get(wanted)
        if classifier is None:
            with self._lock:
                classifier = self._loaded.get(wanted) or self._load(wanted, named=name is not None)
        return classifier

    def default_name(self) -> str:
        """MODEL_NAME, or the name of the first bundle found; raises ModelError if no bundle is installed."""
        if self._default_name is None:
            self._default_name = next(iter(find_bundles(self._settings.model_dirs)), None)
        if self._default_name is None:
            raise ModelError("no model is installed")
        return self._default_name

    def cards(self) -> list[dict[str, Any]]:
        """The card of every installed bundle as JSON, or its name and why the card cannot be read.

        `warnings` are there if the card assumes something.
        """
        from chalicelib.inference import evidence  # only few processes show cards

        cards = []
        for name, read in self._readers().items():
            try:
                card = read()
            except ServiceError as error:
                shown: dict[str, Any] = {"name": name, "error": str(error)}
            else:
                warnings = evidence.assumptions(card.contract)
                shown = {**card.to_dict(), **({"warnings": warnings} if warnings else {})}
            cards.append({**shown, **self.origin(name), "default": name == self.default_name()})
        return cards

    def origin(self, name: str) -> dict[str, Any]:
        """`origin` of a model that was fetched: where it is, its ETag, how long that took; else nothing."""
        return {"origin": self._remote.origin()} if self._remote is not None and name == self._remote.name else {}

    def runtime(self, classifier: Classifier) -> dict[str, Any]:
        """What this process runs a model on."""
        return {
            "engine": classifier.engine.name,
            "engine_version": classifier.engine.version,
            "threads": classifier.num_threads,
            "python": platform.python_version(),
            "architecture": platform.machine(),
            "features": processor_features(),
            "memory_mb": self._settings.memory_mb,
        }

    def setup(self, classifier: Classifier) -> dict[str, Any]:
        """What the log line of a process's first answer says of it: its cold start, what it runs on, warnings."""
        held = classifier.delegated()
        warnings = classifier.warnings(held)
        return {
            "cold_start_ms": self._cold_start.breakdown(),
            **self.runtime(classifier),
            "outside_delegate": held and held.outside_count,
            **({"warnings": warnings} if warnings else {}),
        }

    def first_answer(self) -> dict[str, Any]:
        """The same of the model that was loaded first, for functions that name no model in their log line.

        It is empty as long as no model is loaded, and after the first call that was not.
        """
        first = next(iter(self._loaded.values()), None)
        if first is None or not self._cold_start.claim():
            return {}
        return {"model": first.card.name, "version": first.card.version, **self.setup(first)}

    def _readers(self) -> dict[str, Callable[[], ModelCard]]:
        """Each model's name, and what reads its card; a model that is fetched is the first."""
        found: dict[str, Callable[[], ModelCard]] = {}
        if remote := self._remote:
            found[remote.name] = lambda: remote.get().card
        for name, path in find_bundles(self._settings.model_dirs).items():
            found.setdefault(name, partial(load_card, path))
        return found

    def _load(self, name: str, named: bool) -> Classifier:
        bundles = find_bundles(self._settings.model_dirs)
        if name not in bundles:
            fetched = [self._remote.name] if self._remote else []
            known = ", ".join(dict.fromkeys([*fetched, *bundles])) or "none"
            if named:
                raise UnknownModel(f"no model is called {name[:100]!r}; installed: {known}")
            raise ModelError(f"the default model {name!r} is not installed; installed: {known}")
        classifier = self._loaded[name] = self._load_from(bundles[name], installed=True)
        return classifier

    def _remote_model(self, source: "Source") -> "RemoteModel":
        from chalicelib.inference.remote import RemoteModel  # most processes have none

        return RemoteModel(source, self._load_remote, self._cold_start)

    def _load_remote(self, path: Path) -> Classifier:
        classifier = self._load_from(path)
        with self._lock:
            self._loaded[path.name] = classifier
        return classifier

    def _load_from(self, path: Path, installed: bool = False) -> Classifier:
        """Verify and load the bundle in a folder, `installed` or just fetched; raises ModelError and EngineError."""
        began, name = time.perf_counter(), path.name
        self._engine = self._engine or find_engine(self._settings.engine)
        bundle = load_bundle(path, quick=installed)
        try:
            classifier = Classifier(bundle, self._engine, self._settings.num_threads, self._cold_start)
        except (ModelError, MemoryError):
            raise
        except Exception as error:  # what an engine says of a model that nobody foresaw
            raise ModelError(f"model {name!r} does not load in {self._engine.name} {self._engine.version}") from error
        self._cold_start.record("model_load_ms", milliseconds_since(began))
        return classifier
