"""Measures the throughput of the local folder mode, with one process and with two, in the same run.

python -m benchmarks.batch.folder [--pictures 16000] [--rounds 5] [--processor avx2]

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

from benchmarks import machine
from benchmarks.batch.pictures import pictures
from convert.arguments import count
from localaws.deploy.deployer import PROJECT
from localaws.processor import mask_option
from localaws.processor.mask import Shown

DIFFERENT = 2_000
"""Pictures that are made; the others are copies, because making one takes longer than classifying it."""


def seconds(folder: Path, out: Path, processes: int, shown: Shown) -> float:
    """Duration of the whole command, including the start of its processes."""
    command = [sys.executable, "-m", "chalicelib.batch", str(folder), "--out", str(out), "--model", "digits"]
    began = time.monotonic()
    command += ["--processes", str(processes)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, env=shown.process_environment())
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
    mask_option.add_option(parser)
    options = parser.parse_args()
    shown = machine.shown(parser, options.processor)
    print(f"{options.pictures} pictures, {shown.heading}")
    with tempfile.TemporaryDirectory(prefix="slimception-") as scratch:
        folder = Path(scratch, "pictures")
        folder.mkdir()
        lay_out(folder, options.pictures)
        took: dict[int, list[float]] = {1: [], 2: []}
        for turn in range(options.rounds):  # in turns, so that other work on the machine affects both
            for processes in (1, 2) if turn % 2 else (2, 1):
                took[processes].append(seconds(folder, Path(scratch, f"{processes}.jsonl"), processes, shown))
            print(f"  1 process {took[1][-1]:.2f} s, 2 processes {took[2][-1]:.2f} s", flush=True)
        same = Path(scratch, "1.jsonl").read_bytes() == Path(scratch, "2.jsonl").read_bytes()
    one, two = (options.pictures / statistics.median(values) for values in took.values())
    print(f"medians: 1 process {one:.0f}/s, 2 processes {two:.0f}/s, {two / one:.2f} times")
    print("the same file" if same else "the files differ")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
