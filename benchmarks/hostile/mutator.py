"""Run in a new process: mutants through the code under test. `fuzz` asks, and survives a crash of this.

    python -m benchmarks.hostile.mutator KIND PROGRESS_FILE SEED_FILE...

KIND is `pictures`, `requests` or `cards`. One JSON object a line each way: `seed`, `first` and `count` in; out come
the findings, each with its number, and how many mutants were accepted. PROGRESS_FILE holds the number of the mutant
that is being tried.
"""

import json
import mmap
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.hostile import subjects
from benchmarks.hostile.subject import Fault, Subject

SLOW_S = 3.0


def place_of(error: BaseException) -> str:
    """Where an error comes from: its last frame."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def fault_of(subject: Subject, mutant: bytes, number: int) -> tuple[str, bool]:
    """What is wrong, or "", and whether the mutant was accepted."""
    began = time.process_time()
    try:
        accepted = subject.try_out(mutant, number)
    except Fault as fault:
        return str(fault), False
    except BaseException as error:
        return f"{type(error).__name__} at {place_of(error)}: {error}"[:200], False
    took = time.process_time() - began
    return (f"slow: more than {SLOW_S:.0f} s of processor time" if took > SLOW_S else ""), accepted


def smaller(subject: Subject, mutant: bytes, number: int, fault: str) -> bytes:
    """A shorter mutant with the same kind of fault: pieces are left out as long as the fault stays."""
    kind = fault.partition(":")[0]
    tries, length = 0, len(mutant) // 2
    while length and tries < 400:
        place = 0
        while place < len(mutant) and tries < 400:
            shorter = mutant[:place] + mutant[place + length :]
            tries += 1
            if fault_of(subject, shorter, number)[0].partition(":")[0] == kind:
                mutant = shorter
            else:
                place += length
        length //= 2
    return mutant


def tried(subject: Subject, asked: dict[str, Any], show: Callable[[int], None]) -> dict[str, Any]:
    """The reply to one line."""
    findings: list[dict[str, Any]] = []
    accepted = 0
    for number in range(asked["first"], asked["first"] + asked["count"]):
        show(number)
        mutant = subject.make(asked["seed"], number)
        fault, good = fault_of(subject, mutant, number)
        accepted += good
        if fault:
            kept = mutant if fault.startswith("slow") or len(findings) > 5 else smaller(subject, mutant, number, fault)
            findings.append({"number": number, "fault": fault, "hex": kept.hex()})
    return {"findings": findings, "accepted": accepted}


def main(kind: str, progress_file: str, *seed_files: str) -> None:
    """Answer lines until the end of the input."""
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    seeds = [Path(file).read_bytes() for file in seed_files]
    with (
        open(progress_file, "r+b") as file,
        mmap.mmap(file.fileno(), 8) as progress,
        tempfile.TemporaryDirectory() as at,
    ):

        def show(number: int) -> None:
            progress[:8] = number.to_bytes(8, "little")

        subject = subjects.make(kind, seeds, Path(at))
        replies.write('{"ready": true}\n')
        for line in sys.stdin:
            replies.write(json.dumps(tried(subject, json.loads(line), show)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
