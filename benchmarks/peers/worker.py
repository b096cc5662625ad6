"""Run in a new process, by an engine's own Python: measures one inference of each model in turn.

python -m benchmarks.peers.worker ENGINE THREADS PICTURES.npy MODEL ...

Answers each line on standard input with one: a JSON list of the milliseconds of each model. Before an inference is
measured, the same model runs once, since the other processes have filled the processor's caches.
"""

import json
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
    """Load every model, and serve."""
    engine, threads, pictures, *paths = sys.argv[1:]
    picture = np.load(pictures, mmap_mode="r")[:1].copy()
    models = [ENGINES[engine](path, int(threads)) for path in paths]
    prepared = [(model, model.encode(picture)) for model in models]
    for model, given in prepared:
        model.run(given)
    for _ in sys.stdin:
        print(json.dumps([inference_ms(model, given) for model, given in prepared]), flush=True)


if __name__ == "__main__":
    main()
