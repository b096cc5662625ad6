"""The requests made by hand, through the function's process."""

import json
import tempfile

from benchmarks.hostile.folder import ask
from benchmarks.hostile.processes import Child
from benchmarks.hostile.requests import REQUESTS


def sent_by_hand(child: Child) -> tuple[int, list[str]]:
    """How many were sent, and a line for each that got another status."""
    wrong = []
    for sent in REQUESTS:
        with tempfile.NamedTemporaryFile("w") as file:
            json.dump(sent.event, file)
            file.flush()
            reply = ask(child, {"file": file.name, "route": "event"})
        if reply.status != sent.status:
            wrong.append(f"{sent.name[:80]!r}: {reply.status} in place of {sent.status}: {reply.message}")
    return len(REQUESTS), wrong
