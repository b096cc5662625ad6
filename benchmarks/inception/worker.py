"""Run in a new process: measures one inference of each model in turn, once for each line on standard input.

python -m benchmarks.inception.worker THREADS[,THREADS] MODEL.tflite ...

Answers each line with one: a JSON list for each number of threads, with the milliseconds of each model.
"""

import json
import sys
import time
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray


def prepared(path: str, threads: int) -> Any:
    """The model with an input, after its first inference, which takes longer than the others."""
    interpreter = Interpreter(model_path=path, num_threads=threads)
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()[0]
    picture: NDArray[Any] = np.random.default_rng(0).uniform(-1, 1, details["shape"])
    if details["dtype"] != np.float32:
        picture *= 127
    interpreter.set_tensor(details["index"], picture.astype(details["dtype"]))
    interpreter.invoke()
    return interpreter


def inference_ms(interpreter: Any) -> float:
    """The time of one inference."""
    began = time.perf_counter()
    interpreter.invoke()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Prepare every model with every number of threads, and serve."""
    given, *paths = sys.argv[1:]
    prepared_models = [[prepared(path, int(threads)) for path in paths] for threads in given.split(",")]
    for _ in sys.stdin:
        print(json.dumps([[inference_ms(model) for model in row] for row in prepared_models]), flush=True)


if __name__ == "__main__":
    main()
