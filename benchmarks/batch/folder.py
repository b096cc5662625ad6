"""Measures the throughput of the local folder mode, with one process and with two, in the same run.

python -m benchmarks.batch.folder [--pictures 16000] [--rounds 5]

The time is that of the whole command. Its start takes a third of a second, so use enough pictures.
"""

import argparse
import io
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from benchmarks.batch.pictures import pictures
from benchmarks.machine import processor
from convert.arguments import count
from localaws.deploy.deployer import PROJECT

DIFFERENT = 2_000
"""Pictures that are made; the others are copies, because making one takes longer than classifying it."""


def seconds(folder: Path, out: Path, processes: int) -> float:
    """Duration of the whole command, including the start of its processes."""
    command = [sys.executable, "-m", "chalicelib.batch", str(folder), "--out", str(out), "--model", "digits"]
    began = time.monotonic()
    subprocess.run([*command, "--processes", str(processes)], cwd=PROJECT, check=True, capture_output=True)
    return time.monotonic() - began


def enlarged(data: bytes) -> bytes:
    """The picture at the size of a photograph, 640x640 px, as JPEG; other bytes are returned unchanged."""
    try:
        image = Image.open(io.BytesIO(data)).resize((640, 640), Image.Resampling.BICUBIC).convert("RGB")
    except OSError:
        return data
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def lay_out(folder: Path, count: int) -> None:
    """Write `count` files; contents repeat under other names."""
    contents = [enlarged(data) for data in pictures(min(count, DIFFERENT), random.Random(1)).values()]
    for number in range(count):
        (folder / f"{number:06}.jpg").write_bytes(contents[number % len(contents)])


def main() -> int:
    """Print each round, the medians, and the gain of the second process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch.folder", description=__doc__)
    parser.add_argument("--pictures", type=count, default=16_000, metavar="N")
    parser.add_argument("--rounds", type=count, default=5, metavar="N")
    options = parser.parse_args()
    print(f"{options.pictures} pictures, {processor()}")
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        folder = Path(scratch, "pictures")
        folder.mkdir()
        lay_out(folder, options.pictures)
        took: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(options.rounds):  # in turns, so that other work on the machine affects both
            for processes in (1, 2) if turn % 2 else (2, 1):
                took[processes].append(seconds(folder, Path(scratch, f"{processes}.jsonl"), processes))
            print(f"  1 process {took[1][-1]:.2f} s, 2 processes {took[2][-1]:.2f} s", flush=True)
        same = Path(scratch, "1.jsonl").read_bytes() == Path(scratch, "2.jsonl").read_bytes()
    one, two = (options.pictures / statistics.median(values) for values in took.values())
    print(f"medians: 1 process {one:.0f}/s, 2 processes {two:.0f}/s, {two / one:.2f} times")
    print("the same file" if same else "the files differ")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
