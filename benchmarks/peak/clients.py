"""Clients, each in a thread, send a picture to an API again and again; prints what they saw.

    python -m benchmarks.peak.clients URL PICTURE NUMBER SECONDS PAUSE_S SEED

The last line is JSON: latencies in s and statuses, one item for each try.
"""

import http.client
import json
import random
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.peak.closed import Clients

TIMEOUT_S = 40.0
HEADERS = {"Content-Type": "image/jpeg"}


def send(url: str, picture: bytes) -> tuple[float, int]:
    """One `POST /predict/image`: latency in s and status; raises OSError or http.client.HTTPException."""
    address = urlsplit(url)
    assert address.hostname is not None
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_S)
    began = time.monotonic()
    connection.request("POST", f"{address.path}predict/image?top_k=1", picture, HEADERS)
    response = connection.getresponse()
    response.read()
    took_s = time.monotonic() - began
    connection.close()
    return took_s, response.status


def run(url: str, picture: bytes, clients: Clients, seed: int) -> list[tuple[float, int]]:
    """All tries of all clients."""
    seen: list[tuple[float, int]] = []
    ends = time.monotonic() + clients.seconds

    def one(chance: random.Random) -> None:
        time.sleep(clients.pauses_s(chance))
        while time.monotonic() < ends:
            seen.append(send(url, picture))
            time.sleep(clients.pauses_s(chance))

    threads = [
        threading.Thread(target=one, args=(random.Random(f"{seed} {number}"),)) for number in range(clients.number)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


if __name__ == "__main__":
    _url, _picture, _number, _seconds, _pause_s, _seed = sys.argv[1:]
    _clients = Clients(int(_number), float(_seconds), float(_pause_s))
    print(json.dumps(run(_url, Path(_picture).read_bytes(), _clients, int(_seed))))
