"""Which functions of the engine execute the instructions of one inference on arm64."""

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection
from rich.table import Table

from benchmarks.arm64.counting import Counter, Counts

SHOWN_SHARE = 0.002
"""Of all instructions: a function with fewer is not shown."""
_UNKNOWN = "other"


class Function(NamedTuple):
    """A function of one inference."""

    counts: Counts
    loop: Counts
    """Of one execution of that block of it which executes the most instructions: the body of its innermost loop."""


class _Mapping(NamedTuple):
    begin: int
    end: int
    base: int
    """Address at which the file's own address 0 lies."""
    file: Path


def by_function(counter: Counter, model: Path, folder: Path) -> dict[str, Function]:
    """Each function of one inference, most instructions first: the difference of a run with two and one with one."""
    found = [_read(counter, model, number, folder / f"blocks{number}") for number in (1, 2)]
    functions = {}
    for name, (counts, loop, _) in found[1].items():
        before = found[0].get(name)
        functions[name] = Function(counts.without(before[0]) if before else counts, loop)
    return dict(sorted(functions.items(), key=lambda item: -item[1].counts.all))


def table(functions: dict[str, Function], heading: str) -> Table:
    """The functions in millions of instructions."""
    made = Table(title=heading, title_justify="left")
    for column in ("function", "all", "dot", "load, store", "all by dot", "of its loop"):
        made.add_column(column, justify="left" if column == "function" else "right", overflow="fold")
    whole = sum(each.counts.all for each in functions.values())
    for name, (counts, loop) in functions.items():
        if counts.all >= SHOWN_SHARE * whole:
            millions = [f"{number / 1e6:.1f}" for number in (counts.all, counts.dot, counts.load_store)]
            ratio = f"{counts.all / counts.dot:.2f}" if counts.dot else ""
            made.add_row(name, *millions, ratio, f"{loop.all} for {loop.dot} dots" if loop.dot else "")
    return made


def _read(counter: Counter, model: Path, inferences: int, blocks: Path) -> dict[str, tuple[Counts, Counts, int]]:
    """Each function's counts, and the counts and executed instructions of its hottest block."""
    counter.run(model, inferences, blocks)
    places = list(_mappings(Path(f"{blocks}.maps").read_text()))
    symbols: dict[Path, list[tuple[int, str]]] = {}
    found: dict[str, tuple[Counts, Counts, int]] = {}
    for line in blocks.read_text().splitlines():
        address, executed, *numbers = line.split()
        once = Counts(*map(int, numbers))
        all_of_them = Counts(*(int(executed) * number for number in once))
        name = _name(int(address, 16), places, symbols)
        so_far, loop, most = found.get(name, (Counts(*[0] * len(once)), once, 0))
        if all_of_them.all > most:
            loop, most = once, all_of_them.all
        found[name] = (Counts(*map(sum, zip(so_far, all_of_them, strict=True))), loop, most)
    return found


def _mappings(maps: str) -> Iterator[_Mapping]:
    """The files of /proc/self/maps (proc(5)) that are mapped."""
    bases: dict[Path, int] = {}
    for line in maps.splitlines():
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[5].startswith("/"):
            begin, end = (int(one, 16) for one in fields[0].split("-"))
            file = Path(fields[5])
            yield _Mapping(begin, end, bases.setdefault(file, begin - int(fields[2], 16)), file)


def _name(address: int, places: list[_Mapping], symbols: dict[Path, list[tuple[int, str]]]) -> str:
    place = next((each for each in places if each.begin <= address < each.end), None)
    if place is None or not place.file.is_file():
        return _UNKNOWN
    if place.file not in symbols:
        symbols[place.file] = sorted(_symbols(place.file))
    table_of = symbols[place.file]
    index = bisect_right(table_of, (address - place.base, "\x7f")) - 1
    return table_of[index][1] if index >= 0 else place.file.name


def _symbols(file: Path) -> Iterator[tuple[int, str]]:
    """Address and name of each function of an ELF file; the mapping symbols of arm64 ($x, $d) name none."""
    with file.open("rb") as opened:
        if opened.read(4) != b"\x7fELF":
            return
        for section in ELFFile(opened).iter_sections():
            if isinstance(section, SymbolTableSection):
                for symbol in section.iter_symbols():
                    if symbol.entry.st_info.type == "STT_FUNC" and symbol.entry.st_value:
                        yield symbol.entry.st_value, symbol.name
