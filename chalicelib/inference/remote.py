"""A model whose bundle comes from elsewhere: fetched at its first use, and again when the bundle there has changed.

All work is done in a thread. The first requests wait for it; later ones are answered by the model that is there until
the thread has fetched, verified and tried another one.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from chalicelib.errors import ModelError, ServiceError
from chalicelib.inference.classifier import Classifier
from chalicelib.telemetry import ColdStart, log, milliseconds_since

CHECK_EVERY_S = 60.0
"""How often a process looks for another bundle: a GET of some 1,000 bytes, 0.02 US dollars a month of requests."""
PAUSE_S = 5.0
"""After a first failure no request causes another try for so long; each gets the same error. It doubles with each
failure, up to CHECK_EVERY_S."""
WAIT_S = 8.0
"""A request waits so long for the first bundle, and then gets an error while the thread goes on. Lambda's INIT phase,
in which WARM_IN_INIT waits, has 10 s."""
RESTARTS = 3
"""How often a bundle that changes while it is fetched is begun again."""


class Fetched(NamedTuple):
    """A bundle on this machine's disk, not verified."""

    path: Path
    """Its folder, which has the model's name."""
    version: tuple[str, str]
    """ETag and time of the card: they name this upload."""
    size_bytes: int


class Source(Protocol):
    """Where the bundle is."""

    name: str
    """Of the model."""
    shown_uri: str
    """For answers and messages."""

    def fetch(self, known: tuple[str, str] | None) -> Fetched | None:
        """The bundle; None if its version is `known`. Raises ServiceError."""

    def keep(self, fetched: Fetched) -> None:
        """Put a fetched bundle where the next one will not overwrite it. Raises ServiceError."""


class RemoteModel:
    """Gives the newest model that works. Safe to share between threads."""

    def __init__(
        self,
        source: Source,
        load: Callable[[Path], Classifier],
        cold_start: ColdStart,
        clock: Callable[[], float] = time.time,
        wait_s: float = WAIT_S,
    ) -> None:
        """`load` verifies and loads a bundle's folder. `clock` gives seconds, and goes on in a snapshot (SnapStart)."""
        self.name = source.name
        self._source, self._load, self._cold_start = source, load, cold_start
        self._clock, self._wait_s = clock, wait_s
        self._lock = threading.Lock()
        self._running: threading.Event | None = None
        self._classifier: Classifier | None = None
        self._fetched: Fetched | None = None
        self._fetch_ms = 0.0
        self._error: ServiceError | None = None
        self._due = 0.0
        self._failures = 0

    def get(self) -> Classifier:
        """The model. Raises ServiceError if none could be fetched yet: the next call after a pause tries again."""
        if self._classifier is None:
            return self._first()
        if self._clock() >= self._due:
            self._begin()
        return self._classifier

    def origin(self) -> dict[str, Any]:
        """Where the model that serves comes from, and why no newer one could be fetched, if that is so."""
        fetched, error = self._fetched, self._error
        known = {"etag": fetched.version[0].strip('"'), "fetch_ms": self._fetch_ms} if fetched else {}
        return {"uri": self._source.shown_uri, **known, **({"error": str(error)} if error else {})}

    def _first(self) -> Classifier:
        ended = self._begin()
        if ended is not None and not ended.wait(self._wait_s):
            raise ModelError(
                f"model {self.name!r} is still being fetched from {self._source.shown_uri} after {self._wait_s:.0f} s: "
                "try again"
            )
        if self._classifier is None:
            error = self._error or ModelError(f"model {self.name!r} cannot be fetched and loaded (no reason stated)")
            raise type(error)(str(error)) from error
        return self._classifier

    def _begin(self) -> threading.Event | None:
        """Start the thread if it is time for it; gives what is set when the running one ends, None if none runs."""
        with self._lock:
            if self._running is None and self._clock() >= self._due:
                ended = threading.Event()
                thread = threading.Thread(target=self._run, args=(ended,), name="model-fetch", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the system has no more threads
                    self._concluded(ModelError(f"model {self.name!r}: no thread can be started: {error}"))
                else:
                    self._running = ended
            return self._running

    def _run(self, ended: threading.Event) -> None:
        error: ServiceError | None = None
        try:
            self._update()
        except ServiceError as failure:
            error = failure
        except Exception as failure:  # whatever a damaged bundle makes an engine raise: requests wait for an end
            error = ModelError(f"model {self.name!r} cannot be fetched and loaded ({type(failure).__name__})")
            error.__cause__ = failure
        with self._lock:
            self._concluded(error)
            self._running = None
        ended.set()

    def _concluded(self, error: ServiceError | None) -> None:
        """Note the outcome, and when to look again."""
        self._error = error
        self._failures = self._failures + 1 if error else 0
        pause_s = min(PAUSE_S * 2 ** min(self._failures - 1, 10), CHECK_EVERY_S) if error else CHECK_EVERY_S
        self._due = self._clock() + (pause_s if self._classifier is None else CHECK_EVERY_S)
        if error is not None:
            log("model_not_fetched", model=self.name, uri=self._source.shown_uri, error=str(error))

    def _update(self) -> None:
        began = time.perf_counter()
        fetched = self._source.fetch(self._fetched.version if self._fetched else None)
        fetch_ms = milliseconds_since(began)
        classifier: Classifier | None = None
        for restarts_left in range(RESTARTS, -1, -1):
            if fetched is None:
                return
            self._cold_start.record("fetch_ms", fetch_ms)
            try:
                classifier = self._load(fetched.path)
                break
            except ModelError:
                # perhaps parts of two bundles: who replaces one copies its card last
                newer = self._source.fetch(fetched.version) if restarts_left else None
                if newer is None:
                    raise
                fetched, fetch_ms = newer, milliseconds_since(began)
        assert fetched is not None and classifier is not None
        if self._classifier is not None:
            classifier.warm()  # a model that does not answer replaces none that does
        self._source.keep(fetched)
        self._classifier, self._fetched, self._fetch_ms = classifier, fetched, fetch_ms
        log(
            "model_fetched",
            model=self.name,
            version=classifier.card.version,
            uri=self._source.shown_uri,
            bytes=fetched.size_bytes,
            fetch_ms=fetch_ms,
        )
