"""Run in a new process: the function answers the files that are named to it. Imports only the function itself.

    python worker.py TASK_ROOT [OPT]

One JSON object a line on standard input: `file`, `route` (`json`, `raw`, `instances`, `stored`, or `event` for a file
that holds a whole event) and `copies`, or `files` with the route `threads`. One JSON object a line on standard output:
the answer, what it cost, and what the process holds. What the function itself prints goes to /dev/null.
"""

import base64
import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Reply = dict[str, Any]
REPLIES = os.fdopen(os.dup(1), "w", buffering=1)
FUNCTION: Any = None
"""The module `app`, once it is imported."""
LOADED_MB = 0.0
"""What the process held when the model was loaded."""
PASSING = ("timing_ms", "cold_start", "request_id")
"""Fields of an answer that differ from one request to the next."""


def memory_mb(name: str) -> float:
    """A field of /proc/self/status: VmRSS is what the process holds, VmHWM its peak."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def event(route: str, data: bytes, copies: int) -> dict[str, Any]:
    """The file in API Gateway's event for `POST /predict` or `POST /predict/image`."""
    if route == "event":
        given: dict[str, Any] = json.loads(data)
        return given
    text = base64.b64encode(data).decode()
    if route == "raw":
        path, kind, body = "/predict/image", "application/octet-stream", text
    else:
        path, kind = "/predict", "application/json"
        body = json.dumps({"image": text} if route == "json" else {"instances": [{"b64": text}] * copies})
    return {
        "requestContext": {"httpMethod": "POST", "resourcePath": path, "requestId": "hostile"},
        "headers": {"content-type": kind},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": route == "raw",
    }


def answered(given: dict[str, Any]) -> Reply:
    """The handler's answer. An exception that leaves the handler has the status 0."""
    try:
        response = FUNCTION.app(given, None)
        text = response["body"] or ""
        body = json.loads(text) if text[:1] in ("{", "[") else text
        return summary(response["statusCode"], body)
    except BaseException as error:
        return {"status": 0, "message": f"{type(error).__name__}: {error}"[:300]}


def stored(data: bytes) -> Reply:
    """The answer to a picture of a batch or of a workflow."""
    from chalicelib.inference.answer import answer
    from chalicelib.statuses import STATUS

    codes = {code: status for status, code in STATUS.values()}
    try:
        body = answer(FUNCTION.runtime.store, lambda: data)
    except BaseException as error:
        return {"status": 0, "message": f"{type(error).__name__}: {error}"[:300]}
    failed = body.get("error")
    return summary(codes[failed["Code"]] if failed else 200, failed or body)


def summary(status: int, body: Any) -> Reply:
    """The answer without what passes: its status, its message, and a digest of all."""
    settled = {key: value for key, value in body.items() if key not in PASSING} if isinstance(body, dict) else body
    digest = hashlib.sha256(json.dumps(settled, sort_keys=True).encode()).hexdigest()[:16]
    message = body.get("Message", "") if isinstance(body, dict) else ""
    return {"status": status, "message": message, "digest": digest}


def in_threads(files: list[str]) -> Reply:
    """The classifier of one process answers in eight threads at once what it answered before, one by one."""
    pictures = [Path(file).read_bytes() for file in files]
    alone = [stored(data) for data in pictures]
    differ: list[int] = []

    def again(first: int) -> None:
        for turn in range(len(pictures)):
            number = (first + turn) % len(pictures)
            if stored(pictures[number]) != alone[number]:
                differ.append(number)

    threads = [threading.Thread(target=again, args=(first * len(pictures) // 8,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"status": 200, "message": "", "answers": 8 * len(pictures), "differ": len(differ)}


def measured(call: Callable[[], Reply]) -> Reply:
    """What a call answers, the processor time that it takes, and its peak of memory above the loaded model."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew. Source: Linux, proc_pid_clear_refs(5)
    began, processor = time.perf_counter(), time.process_time()
    reply = call()
    spent = {"cpu_s": time.process_time() - processor, "wall_s": time.perf_counter() - began}
    return {**reply, **spent, "peak_mb": memory_mb("VmHWM") - LOADED_MB, **held()}


def held() -> Reply:
    """What the process holds: memory, files, sockets, threads, child processes."""
    links = [str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    return {
        "rss_mb": memory_mb("VmRSS") - LOADED_MB,
        "files": len(links),
        "sockets": sum(link.startswith("socket:") for link in links),
        "threads": threading.active_count(),
        "children": len(children.read_text().split()) if children.exists() else 0,
    }


def reply_to(asked: dict[str, Any]) -> Reply:
    """Answer one line."""
    if asked["route"] == "threads":
        return measured(lambda: in_threads(asked["files"]))
    data = Path(asked["file"]).read_bytes()
    if asked["route"] == "stored":
        return measured(lambda: stored(data))
    given = event(asked["route"], data, asked.get("copies", 1))
    return measured(lambda: answered(given))


if __name__ == "__main__":
    task_root, *opt = sys.argv[1:]
    sys.path[:0] = [task_root, *(f"{folder}/python" for folder in opt)]  # Lambda's order
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    import app as FUNCTION  # noqa: N812

    FUNCTION.runtime.store.get().warm()
    LOADED_MB = memory_mb("VmRSS")
    REPLIES.write(json.dumps({"status": 200, "message": "ready", **held()}) + "\n")
    for line in sys.stdin:
        REPLIES.write(json.dumps(reply_to(json.loads(line))) + "\n")
