"""Run once: starts processes and times them, where the measured folder is mounted as the caller chose.

python -I -S -B starter.py PROCESSORS; an empty text stands for all.

Each line on standard input is JSON: a command, and its environment. Each line on standard output is JSON: `ms` from the
start to the line "answered", `code`, and the texts `out` and `err`. The word BEGAN_NS in a command stands for
time.monotonic_ns() at the start.
"""

import json
import os
import subprocess
import sys
import tempfile
import time


def answer_once(command: list[str], environment: dict[str, str]) -> dict[str, object]:
    """Start it, and wait for its answer and its end."""
    with tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        given = [str(time.monotonic_ns()) if word == "BEGAN_NS" else word for word in command]
        with subprocess.Popen(given, stdout=subprocess.PIPE, stderr=err, text=True, env=environment) as process:
            assert process.stdout is not None
            lines, ms = [], None
            for line in process.stdout:
                lines.append(line)
                if line == "answered\n":
                    ms = (time.perf_counter() - began) * 1000
        err.seek(0)
        return {"ms": ms, "code": process.returncode, "out": "".join(lines), "err": err.read()}


if sys.argv[1]:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(sys.argv[1]) :])
for request in sys.stdin:
    print(json.dumps(answer_once(*json.loads(request))), flush=True)
