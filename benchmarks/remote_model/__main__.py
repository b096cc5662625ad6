"""Time from a new process to its first answer with a model from S3, against the same model in a layer.

The function and its layers are unpacked as Lambda lays them out (`benchmarks.cold_start`). A process answers one
event: with the bundle in a layer; with MODEL_URI and `localaws` as S3; and with a bucket behind a network of a stated
latency and bandwidth. They take turns; the first round fills the disk cache and does not count.

What only AWS shows: its network; TLS, which costs a processor some 0.1 s for 100 MB; and how long a layer's first
reading takes there, which here comes from the disk cache.

    python -m benchmarks.remote_model BUNDLE... [--rounds 9] [--mb-per-s 75] [--plans] [--processor avx2]
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.cold_start.__main__ import answer_once
from benchmarks.cold_start.processes import Starter
from benchmarks.cold_start.starts import AS_DEPLOYED, CLEAN, HERE, Start, Variant, lay_out, write_event
from benchmarks.remote_model import plans
from benchmarks.remote_model.network import Network, bucket_at
from convert.arguments import count
from layers.build.wheels import REQUIREMENTS, download
from layers.targets import local_target
from localaws.cloud.local_aws import LocalAws
from localaws.processor import mask_option
from localaws.processor.mask import Shown

BUCKET = "models-of-the-benchmark"
FILES = ("labels.txt", "model.tflite", "model.json")
PARTS = ("python_ms", "import_ms", "fetch_ms", "model_load_ms", "first_inference_ms", "answered_ms")
LAYER, LOCALAWS = "layer", "S3 of localaws"


def starts_of(folder: Path, bundles: list[Path], endpoints: dict[str, dict[str, str]]) -> dict[tuple[str, str], Start]:
    """By bundle and way. `endpoints` has the variables of each way through S3."""
    event, _ = write_event(folder)
    wheels = download(local_target(), REQUIREMENTS, folder / "wheels")
    (folder / "none").mkdir()
    commands = {}
    for name, models in ((LAYER, folder / BUCKET), ("s3", folder / "none")):
        task, opt = lay_out(folder / f"root-{name}", Variant(), wheels, models)
        script = str(HERE / "answer_event.py")
        commands[name] = [sys.executable, "-I", "-S", "-B", script, str(task), str(opt), str(event)]
    starts = {}
    for bundle in bundles:
        own = {**CLEAN, **AS_DEPLOYED, "TMPDIR": str(folder)}
        starts[bundle.name, LAYER] = Start(commands[LAYER], {**own, "MODEL_NAME": bundle.name})
        uri = {"MODEL_URI": f"s3://{BUCKET}/{bundle.name}/"}
        for way, variables in endpoints.items():
            starts[bundle.name, way] = Start(commands["s3"], {**own, **uri, **variables})
    return starts


def measure(
    starter: Starter, starts: dict[tuple[str, str], Start], shown: Shown, rounds: int
) -> dict[tuple[str, str], dict[str, float]]:
    """Median of each part in ms."""
    runs: dict[tuple[str, str], list[dict[str, float]]] = {name: [] for name in starts}
    for number in range(rounds + 1):
        for name, start in starts.items():
            run = answer_once(starter, start, shown)
            if number:
                runs[name].append(run)
    return {name: {part: statistics.median(r.get(part, 0) for r in rs) for part in PARTS} for name, rs in runs.items()}


def table(
    medians: dict[tuple[str, str], dict[str, float]], sizes_mb: dict[str, float], rounds: int, heading: str
) -> Table:
    """A row for each bundle and way, with what S3 adds to the layer's time."""
    title = f"New process to first answer, ms, medians of {rounds}\n{heading}"
    shown = Table(title=title, title_justify="left")
    for column in ("bundle", "from", "start", "import", "fetch", "load", "first inference", "first answer", "more"):
        shown.add_column(column, justify="left" if column in ("bundle", "from") else "right")
    for (name, way), parts in medians.items():
        more = parts["answered_ms"] - medians[name, LAYER]["answered_ms"]
        times = [f"{parts[part]:.0f}" for part in PARTS]
        shown.add_row(f"{name}, {sizes_mb[name]:.0f} MB", way, *times, f"{more:.0f}" if way != LAYER else "")
    return shown


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("bundles", nargs="+", type=Path, metavar="BUNDLE", help="folder with model.json")
    made.add_argument("--rounds", type=count, default=9, metavar="N", help="starts of each (default %(default)s)")
    made.add_argument("--mb-per-s", type=float, default=75, help="of the whole network (default %(default)s)")
    made.add_argument("--connection-mb-per-s", type=float, default=60, help="of a connection (default %(default)s)")
    made.add_argument("--first-byte-ms", type=float, default=30, help="of each GET (default %(default)s)")
    made.add_argument("--connect-ms", type=float, default=10, help="TCP and TLS (default %(default)s)")
    made.add_argument("--plans", action="store_true", help="compare sizes and numbers of parts, and nothing else")
    mask_option.add_option(made)
    return made


def main() -> int:
    """Prepare, measure, print."""
    arguments = parser()
    options = arguments.parse_args()
    shown = machine.shown(arguments, options.processor)
    network = Network(options.connect_ms, options.first_byte_ms, options.connection_mb_per_s, options.mb_per_s)
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        for bundle in options.bundles:
            shutil.copytree(bundle, folder / BUCKET / bundle.name)
        paced = stack.enter_context(bucket_at(folder, network))
        if options.plans:
            for bundle in options.bundles:
                Console(width=130).print(plans.compare(paced, f"s3://{BUCKET}/{bundle.name}/", options.rounds))
            return 0
        cloud = stack.enter_context(LocalAws())
        _upload(cloud, folder / BUCKET)
        environment = cloud.environment()
        way = f"S3 at {options.mb_per_s:g} MB/s"
        endpoints = {LOCALAWS: environment, way: {**environment, "AWS_ENDPOINT_URL": paced}}
        starts = starts_of(folder, options.bundles, endpoints)
        os.sync()
        with Starter(folder / BUCKET) as starter:  # a layer is read-only, what comes from S3 is not
            medians = measure(starter, starts, shown, options.rounds)
        sizes_mb = {bundle.name: (bundle / "model.tflite").stat().st_size / 1e6 for bundle in options.bundles}
        Console(width=130).print(table(medians, sizes_mb, options.rounds, shown.heading))
    return 0


def _upload(cloud: LocalAws, folder: Path) -> None:
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    for bundle in folder.iterdir():
        for name in FILES:
            s3.upload_file(str(bundle / name), BUCKET, f"{bundle.name}/{name}")
    s3.close()


if __name__ == "__main__":
    sys.exit(main())
