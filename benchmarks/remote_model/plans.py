"""How many ranges at once, and how large: seconds to fetch a bundle over a network, for some of each."""

import statistics
import tempfile
import time
from pathlib import Path

from rich.table import Table

from chalicelib.config import AwsAccess
from chalicelib.delivery.parts import Plan
from chalicelib.delivery.s3_bundle import S3Bundle

ARN = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
PARTS_MB = (4, 8, 16)
THREADS = (1, 2, 4, 8)


def compare(endpoint: str, uri: str, rounds: int) -> Table:
    """Medians; the plans take turns."""
    plans = [Plan(mb * 2**20, threads) for mb in PARTS_MB for threads in THREADS]
    times: dict[Plan, list[float]] = {plan: [] for plan in plans}
    for _ in range(rounds):
        for plan in plans:
            times[plan].append(_fetch_s(endpoint, uri, plan))
    table = Table(title=f"Seconds to fetch {uri}, medians of {rounds}", title_justify="left")
    for column in ("parts of", *(f"{threads} at once" for threads in THREADS)):
        table.add_column(column, justify="right")
    for mb in PARTS_MB:
        medians = (statistics.median(times[Plan(mb * 2**20, threads)]) for threads in THREADS)
        table.add_row(f"{mb} MB", *(f"{median:.2f}" for median in medians))
    return table


def _fetch_s(endpoint: str, uri: str, plan: Plan) -> float:
    with tempfile.TemporaryDirectory() as folder:
        source = S3Bundle(uri, Path(folder), lambda: AwsAccess("id", "secret", None, "us-east-1", endpoint), plan=plan)
        source.function_arn = ARN
        began = time.perf_counter()
        source.fetch(None)
        return time.perf_counter() - began
