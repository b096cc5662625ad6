"""Run in a new process: the packaged function answers events again and again, in turn with the bare inference.

python -I -S -B process.py TASK_ROOT OPT ROUNDS NAME=EVENT_FILE ...

Prints a JSON object: for each name the milliseconds of each round, of the request, of the inference, and of each part.
It is the processor's time, so that other processes do not count; with one thread nothing waits.
"""

import io
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

task_root, opt, given, *named = sys.argv[1:]
sys.path[:0] = [task_root, str(Path(opt) / "python")]  # Lambda's order

from chalice.app import Request  # noqa: E402

import app  # noqa: E402
from chalicelib import runtime  # noqa: E402
from chalicelib.api.bodies import read_body  # noqa: E402
from chalicelib.api.forms import of_predict  # noqa: E402
from chalicelib.inference import images, limits  # noqa: E402
from chalicelib.inference.classifier import Prediction, rank, scores_of  # noqa: E402
from chalicelib.inference.preprocessing import dequantize  # noqa: E402

CONTEXT = SimpleNamespace(invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:benchmark")
classifier = runtime.store.get()
interpreter = classifier._interpreter
Round = dict[str, float]


def timed(times: Round, name: str, work: Callable[[], Any]) -> Any:
    """What a call returns; its milliseconds of processor time go to `times`."""
    began = time.process_time()
    result = work()
    times[name] = (time.process_time() - began) * 1000
    return result


def request(event: dict[str, Any]) -> dict[str, Any]:
    """The response; its log line goes nowhere."""
    stdout, sys.stdout = sys.stdout, io.StringIO()
    try:
        response: dict[str, Any] = app.app(event, CONTEXT)
    finally:
        sys.stdout = stdout
    return response


def answer(raw: Any) -> list[dict[str, Any]]:
    """From the model's output to the predictions of the response."""
    output = dequantize(raw.reshape(-1), *classifier._output["quantization"])
    scores = scores_of(output, classifier.card.output)
    return [Prediction(i, classifier.labels[i], float(scores[i])).to_dict() for i in rank(scores, 5)]


def one_round(event: dict[str, Any]) -> Round:
    """The inference, the request, and each part of it once more."""
    times: Round = {}
    spec = classifier.card.input
    timed(times, "inference", interpreter.invoke)
    response = timed(times, "request", lambda: request(event))
    assert response["statusCode"] == 200, response["body"]
    asked = Request(event, CONTEXT)
    body = timed(times, "base64 of the event", lambda: read_body(asked, runtime.settings.max_body_bytes))
    wanted = timed(times, "JSON and its base64", lambda: of_predict(body, {}, lambda *_: b""))
    data = wanted.images[0]
    stripped = timed(times, "open and check", lambda: images.strip(data))
    timed(times, "limits", lambda: limits.check(stripped, spec.resize))
    picture = timed(times, "decode", lambda: images.decode(data, spec))
    times["decode"] -= times["open and check"] + times.pop("limits")
    pixels = timed(times, "resize", lambda: images.to_pixels(picture, spec))
    tensor = timed(times, "encode", lambda: classifier._encoder.encode(pixels).reshape(classifier._input["shape"]))
    timed(times, "set the input", lambda: interpreter.set_tensor(classifier._input["index"], tensor))
    raw = interpreter.get_tensor(classifier._output["index"])
    timed(times, "scores", lambda: answer(raw))
    return times


def main() -> None:
    """Take turns; the first round warms, and does not count."""
    events = {name: json.loads(Path(path).read_text()) for name, _, path in (pair.partition("=") for pair in named)}
    rounds: dict[str, list[Round]] = {name: [] for name in events}
    for number in range(int(given) + 1):
        for name, event in events.items():
            times = one_round(event)
            if number:
                rounds[name].append(times)
    print(json.dumps(rounds), flush=True)


if __name__ == "__main__":
    main()
