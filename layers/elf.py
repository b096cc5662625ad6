"""What a shared object needs, read with pyelftools."""

import io
from dataclasses import dataclass
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from layers.errors import ContentsError

MAGIC = b"\x7fELF"


@dataclass(frozen=True)
class SharedObject:
    """The dynamic linker's view of one file."""

    machine: str
    """ELF's name of the processor: "EM_X86_64"."""
    needed: tuple[str, ...]
    """DT_NEEDED: names of libraries."""
    run_path: tuple[str, ...]
    """DT_RUNPATH or DT_RPATH, with $ORIGIN as it stands."""
    versions: tuple[tuple[str, str], ...]
    """Library and symbol version of each symbol that it needs: ("libc.so.6", "GLIBC_2.29")."""


def read_shared_object(name: str, data: bytes) -> SharedObject:
    """Parse an ELF file; raises ContentsError with its name if it is cut off or not an ELF file."""
    try:
        elf = ELFFile(io.BytesIO(data))
        dynamic = [section for section in elf.iter_sections() if isinstance(section, DynamicSection)]
        tags = [tag for section in dynamic for tag in section.iter_tags()]
        needed = tuple(tag.needed for tag in tags if tag.entry.d_tag == "DT_NEEDED")
        paths = [tag.runpath for tag in tags if tag.entry.d_tag == "DT_RUNPATH"]
        paths = paths or [tag.rpath for tag in tags if tag.entry.d_tag == "DT_RPATH"]
        run_path = tuple(part for path in paths for part in path.split(":") if part)
        return SharedObject(elf["e_machine"], needed, run_path, tuple(_versions(elf)))
    except (ELFError, ValueError, KeyError, AttributeError) as error:
        raise ContentsError(f"{name} cannot be read as a shared object ({error}): build or copy it again") from error


def symbols_of_version(data: bytes, version: str, limit: int = 3) -> list[str]:
    """Names of the first symbols that need `version`, such as ["exp", "log"]."""
    elf = ELFFile(io.BytesIO(data))
    indices = {aux["vna_other"] for _, aux in _needs(elf) if aux.name == version}
    of_symbol, symbols = elf.get_section_by_name(".gnu.version"), elf.get_section_by_name(".dynsym")
    if of_symbol is None or symbols is None:
        return []
    wanted = (i for i, entry in enumerate(of_symbol.iter_symbols()) if entry["ndx"] in indices)
    return sorted({symbols.get_symbol(i).name for i in wanted})[:limit]


def undefined_symbols(data: bytes) -> set[str]:
    """Names that other libraries have to define."""
    symbols = ELFFile(io.BytesIO(data)).get_section_by_name(".dynsym")
    found = symbols.iter_symbols() if symbols else ()
    return {symbol.name for symbol in found if symbol.name and symbol["st_shndx"] == "SHN_UNDEF"}


def _versions(elf: ELFFile) -> list[tuple[str, str]]:
    return [(library, aux.name) for library, aux in _needs(elf)]


def _needs(elf: ELFFile) -> list[tuple[str, Any]]:
    sections = [section for section in elf.iter_sections() if isinstance(section, GNUVerNeedSection)]
    return [(need.name, aux) for section in sections for need, auxes in section.iter_versions() for aux in auxes]
