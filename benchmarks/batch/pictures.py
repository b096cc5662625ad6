"""The files that the batch's proof and benchmark classify."""

import random

from benchmarks import digit_scans

PREFIX = "pictures of digits+100%/"
BROKEN = (b"no picture at all", b"%PDF-1.7", b"", b"GIF89a")


def pictures(count: int, seed: random.Random) -> dict[str, bytes]:
    """Key to content: scans of digits, each with another brightness and place; one in a hundred is not a picture."""
    scans = digit_scans.load().images
    made: dict[str, bytes] = {}
    for number in range(count):
        key = f"{PREFIX}{number:05} ü.png"
        if number % 100 == 50:
            made[key] = BROKEN[number // 100 % len(BROKEN)]
        else:
            made[key] = digit_scans.png(scans[number % len(scans)], seed, brightness=seed.uniform(0.7, 1.0))
    return made
