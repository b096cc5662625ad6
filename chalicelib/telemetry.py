"""Spans in milliseconds, the one owner of the cold start, and one JSON log line per request."""

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

IMPORT_BEGAN = time.perf_counter()
"""When the first module of the app was imported: `app` imports this module before any other."""


class Spans(dict[str, float]):
    """Name to duration in ms, in the order in which the spans ended."""

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Time a `with` block and add it to `name`; a block that raises adds nothing."""
        began = time.perf_counter()
        yield
        self[name] = round(self.get(name, 0.0) + milliseconds_since(began), 2)


class ColdStart:
    """The time that a process spends until its first response; each part is measured once.

    The breakdown holds `python_ms` (process start to the first import of the app), `import_ms` (the app's imports),
    `fetch_ms` (a bundle's way from S3, if MODEL_URI is set), `model_load_ms`, `first_inference_ms` and their sum,
    `total_ms`. The time in which the process waits for its first request is in no part.
    """

    def __init__(self) -> None:
        self._parts: dict[str, float] = {}
        self._lock = threading.Lock()
        self._unclaimed = True

    def record(self, name: str, duration_ms: float) -> None:
        """Keep the first value for `name`; ignore later ones."""
        with self._lock:
            self._parts.setdefault(name, round(duration_ms, 2))

    def importing(self) -> None:
        """Pause the garbage collector, for imports leave no garbage. Call it before the app's other imports."""
        gc.disable()

    def imported(self) -> None:
        """Record `python_ms` and `import_ms`. Call it when the app's imports have ended.

        The garbage collector starts again, and never looks at what was imported: a collection after it has nothing old
        to walk through.
        """
        gc.freeze()
        gc.enable()
        import_ms = milliseconds_since(IMPORT_BEGAN)
        age_ms = process_age_ms()
        if age_ms is not None:
            self.record("python_ms", max(0.0, age_ms - import_ms))
        self.record("import_ms", import_ms)

    def claim(self) -> bool:
        """True for the first caller in this process, False for every later one."""
        with self._lock:
            first, self._unclaimed = self._unclaimed, False
            return first

    @property
    def has_answered(self) -> bool:
        """Whether somebody has claimed it: this process is warm."""
        return not self._unclaimed

    def breakdown(self) -> dict[str, float]:
        """The parts that are known so far, and their sum."""
        with self._lock:
            return {**self._parts, "total_ms": round(sum(self._parts.values()), 2)}


cold_start = ColdStart()
"""Of this process. `runtime` hands it to the models that serve requests."""


def milliseconds_since(began: float) -> float:
    """Milliseconds since `began`, a value of `time.perf_counter()`."""
    return round((time.perf_counter() - began) * 1000, 2)


def process_age_ms() -> float | None:
    """Milliseconds since the kernel started this process, to 10 ms; None if there is no /proc.

    Source: proc(5), field 22 of /proc/self/stat, in clock ticks after boot. The second field, the
    command's name in parentheses, may itself hold blanks and parentheses.
    """
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as stat:
            start_ticks = int(stat.read().rpartition(")")[2].split()[19])
        return (time.clock_gettime(time.CLOCK_BOOTTIME) - start_ticks / os.sysconf("SC_CLK_TCK")) * 1000
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def log(event: str, **fields: object) -> None:
    """Write one JSON line to standard output, where both `chalice local` and CloudWatch show it.

    It uses neither `app.log`, whose level is ERROR, nor the root logger, whose lines Lambda's runtime prefixes.
    JSON escapes line ends, so that no field can forge a second line.
    """
    line = json.dumps({"event": event, **fields}, default=str, separators=(",", ":"))
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
