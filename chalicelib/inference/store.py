"""The models of this process. Each is loaded once, when it is first needed, and then kept."""

import platform
import threading
import time
from typing import Any

from chalicelib.config import Settings
from chalicelib.errors import ModelError, UnknownModel
from chalicelib.inference.classifier import Classifier
from chalicelib.inference.engine import Engine, find_engine, processor_features
from chalicelib.inference.registry import find_bundles, load_bundle, load_card
from chalicelib.telemetry import ColdStart, milliseconds_since


class ModelStore:
    """Finds bundles and loads them on demand. Safe to share between threads."""

    def __init__(self, settings: Settings, cold_start: ColdStart | None = None) -> None:
        """`cold_start` records `model_load_ms` and `first_inference_ms`; None: nobody reads them.

        The API reports `telemetry.cold_start`, so `runtime` passes that one.
        """
        self._settings, self._cold_start = settings, cold_start or ColdStart()
        self._lock = threading.Lock()
        self._engine: Engine | None = None
        self._loaded: dict[str, Classifier] = {}
        self._default_name: str | None = settings.model_name

    def get(self, name: str | None = None) -> Classifier:
        """The classifier called `name`, or the default one.

        Raises UnknownModel if no model of this name is installed, ModelError or EngineError if the model does not
        load. A failure is not remembered: the next call tries again.
        """
        wanted = name or self.default_name()
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
        for name, path in find_bundles(self._settings.model_dirs).items():
            try:
                card = load_card(path)
            except ModelError as error:
                shown: dict[str, Any] = {"name": name, "error": str(error)}
            else:
                warnings = evidence.assumptions(card.contract)
                shown = {**card.to_dict(), **({"warnings": warnings} if warnings else {})}
            cards.append({**shown, "default": name == self.default_name()})
        return cards

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

    def _load(self, name: str, named: bool) -> Classifier:
        began = time.perf_counter()
        bundles = find_bundles(self._settings.model_dirs)
        if name not in bundles:
            known = ", ".join(bundles) or "none"
            if named:
                raise UnknownModel(f"no model is called {name[:100]!r}; installed: {known}")
            raise ModelError(f"the default model {name!r} is not installed; installed: {known}")
        self._engine = self._engine or find_engine(self._settings.engine)
        bundle = load_bundle(bundles[name])
        try:
            classifier = Classifier(bundle, self._engine, self._settings.num_threads, self._cold_start)
        except (ModelError, MemoryError):
            raise
        except Exception as error:  # what an engine says of a model that nobody foresaw
            raise ModelError(f"model {name!r} does not load in {self._engine.name} {self._engine.version}") from error
        self._cold_start.record("model_load_ms", milliseconds_since(began))
        self._loaded[name] = classifier
        return classifier
