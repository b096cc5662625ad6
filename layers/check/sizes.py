"""The table of sizes, and the limits and budgets that a layer must keep."""

from collections.abc import Iterator
from dataclasses import dataclass

from rich import box
from rich.table import Table

from layers.check.compatibility import Problem
from layers.contents import Contents
from layers.targets import DIRECT_UPLOAD_BYTES, MAX_LAYERS, UNZIPPED_BYTES

RUNTIME_ZIPPED_BYTES = 20_000_000
RUNTIME_UNZIPPED_BYTES = 60_000_000
"""This project's budgets for the runtime layer, whose content a cold start fetches and maps."""
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Size:
    """Bytes of one artefact or one package in it; `zipped` is 0 if nothing was zipped."""

    label: str
    unzipped: int
    zipped: int


def total(contents: Contents, zip_bytes: int = 0) -> Size:
    """One artefact as a whole; `zip_bytes` is the zip file's own size."""
    return Size(contents.label, sum(contents.sizes.values()), zip_bytes)


def by_package(contents: Contents) -> list[Size]:
    """The packages of one artefact, largest first; a wheel's `.libs` folder counts as its package."""
    found: dict[str, list[int]] = {}
    for name, size in contents.sizes.items():
        sums = found.setdefault(_package(name), [0, 0])
        sums[0] += size
        sums[1] += contents.zipped_sizes.get(name, 0)
    return sorted((Size(label, *sums) for label, sums in found.items()), key=lambda size: -size.unzipped)


def over_budget(runtime: Size) -> Iterator[Problem]:
    """The runtime layer against this project's budgets."""
    for what, have, allowed in (
        ("zipped", runtime.zipped, RUNTIME_ZIPPED_BYTES),
        ("unzipped", runtime.unzipped, RUNTIME_UNZIPPED_BYTES),
    ):
        if have > allowed:
            found = f"{_mb(have)} MB {what}, the runtime layer's budget is {_mb(allowed)} MB"
            yield Problem(
                runtime.label, found, "The table says which package grew: leave out more in layers/build/slimming.py"
            )


def over_limits(function: Size, layers: list[Size]) -> Iterator[Problem]:
    """Function and layers together against Lambda's limits."""
    unzipped = function.unzipped + sum(layer.unzipped for layer in layers)
    if unzipped > UNZIPPED_BYTES:
        found = f"{_mb(unzipped)} MB unzipped together, Lambda allows {_mb(UNZIPPED_BYTES)} MB"
        yield Problem("function and layers", found, "Deploy fewer models in one function")
    if len(layers) > MAX_LAYERS:
        found = f"{len(layers)} layers, Lambda allows {MAX_LAYERS}"
        yield Problem("function and layers", found, "Deploy fewer models in one function")


def table(title: str, layers: list[tuple[Size, list[Size]]], function: Size | None = None) -> Table:
    """Every layer by package, the function, and their sum, in MB of 1,000,000 bytes."""
    grid = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    grid.add_column("MB", overflow="fold")
    grid.add_column("unzipped", justify="right", no_wrap=True)
    grid.add_column("zipped", justify="right", no_wrap=True)
    grid.add_column("upload", no_wrap=True)
    for layer, packages in layers:
        way = "direct" if layer.zipped <= DIRECT_UPLOAD_BYTES else "through S3"
        grid.add_row(layer.label, _mb(layer.unzipped), _mb(layer.zipped), way, style="bold")
        for package in packages if len(packages) > 1 else []:
            grid.add_row(f"  {package.label}", _mb(package.unzipped), _mb(package.zipped), "")
    if function:
        grid.add_row(function.label, _mb(function.unzipped), "", "", style="bold")
        _add_sum(grid, [function, *(layer for layer, _ in layers)])
    return grid


def _add_sum(grid: Table, sizes: list[Size]) -> None:
    unzipped, zipped = sum(size.unzipped for size in sizes), sum(size.zipped for size in sizes)
    share = f"{100 * unzipped / UNZIPPED_BYTES:.0f}% of Lambda's {_mb(UNZIPPED_BYTES)}"
    grid.add_section()
    grid.add_row("together", _mb(unzipped), _mb(zipped), share, style="bold")


def _package(name: str) -> str:
    parts = name.removeprefix("python/").split("/")
    if parts[0] == "models" and len(parts) > 2:
        return "/".join(parts[:2])
    first = parts[0].partition(".libs")[0].partition("-")[0]
    return {"pillow": "PIL"}.get(first, first)


def _mb(size: int) -> str:
    return f"{size / MEGABYTE:.2f}"
