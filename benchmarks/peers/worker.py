"""Run in a new process, by an engine's own Python: measures inferences of a model.

python -m benchmarks.peers.worker ENGINE THREADS PICTURES.npy MODEL

Answers each line on standard input with one, the milliseconds of an inference. Before it is measured, the model runs
once, since other processes have filled the processor's caches.
"""

import sys
import time
from typing import Any

import numpy as np

from benchmarks.peers.engines import ENGINES, Prepared


def inference_ms(model: Prepared, given: Any) -> float:
    """The time of the second of two inferences."""
    model.run(given)
    began = time.perf_counter()
    model.run(given)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Load the model, and serve."""
    engine, threads, pictures, path = sys.argv[1:]
    model = ENGINES[engine](path, int(threads))
    given = model.encode(np.load(pictures, mmap_mode="r")[:1].copy())
    model.run(given)
    for _ in sys.stdin:
        print(inference_ms(model, given), flush=True)


if __name__ == "__main__":
    main()
