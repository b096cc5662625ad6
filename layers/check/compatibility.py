"""Compares a layer's files with the target: symbol versions, processor, libraries, Python tags."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from layers.contents import Contents
from layers.elf import MAGIC, SharedObject, read_shared_object, symbols_of_version
from layers.errors import ContentsError
from layers.targets import Target, Version

SYSTEM_LIBRARIES = frozenset(
    {
        *("libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1", "libresolv.so.2"),
        *("libgcc_s.so.1", "libstdc++.so.6", "libz.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"),
    }
)
"""Libraries of Lambda's base system: manylinux_2_28's list without X11, OpenGL and GLib, which Lambda does not have.
Source: PEP 600 and auditwheel's policy for manylinux_2_28."""

_SHARED_OBJECT = re.compile(r"\.so(\.\d+)*$")
_PYTHON_TAG = re.compile(r"\.(cpython-\d+t?-[\w-]+|abi3)\.so$")
_BYTECODE_TAG = re.compile(r"__pycache__/.*\.cpython-(\d+)(\.opt-\d)?\.pyc$")


class Problem(NamedTuple):
    """One reason why a file does not load on the target."""

    file: str
    found: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}: {self.found}. {self.remedy}."


def find_problems(contents: Contents, target: Target) -> Iterator[Problem]:
    """Everything in `contents` that `target` cannot load."""
    yield from _bytecode_problems(contents, target)
    for name in contents.sizes:
        yield from _tag_problems(name, target)
        if name.endswith(".dist-info/WHEEL"):
            yield from _wheel_problems(name, contents.read(name).decode(), target)
        elif _SHARED_OBJECT.search(name):
            yield from _object_problems(name, contents, target)


def _object_problems(name: str, contents: Contents, target: Target) -> Iterator[Problem]:
    data = contents.read(name)
    if not data.startswith(MAGIC):
        return  # a linker script, or a text file of that name
    try:
        shared = read_shared_object(name, data)
    except ContentsError as error:
        yield Problem(name, "the ELF file is damaged", str(error.__cause__ or error) + "; build it again")
        return
    if shared.machine != target.processor.elf:
        yield Problem(
            name,
            f"built for {shared.machine}, the target is {target.arch} ({target.processor.elf})",
            f"Take the wheels for {target.processor.wheel}",
        )
        return  # its versions and libraries are another processor's, too
    yield from _version_problems(name, data, shared, target)
    yield from _library_problems(name, shared, set(contents.sizes))


def _version_problems(name: str, data: bytes, shared: SharedObject, target: Target) -> Iterator[Problem]:
    for library, version, newest in _newer_than(target.system.newest, shared):
        yield Problem(
            name,
            f"needs {_symbols(data, version)} from {library}; {target.system.name} (Python {target.python}) has "
            f"{version.partition('_')[0]} up to {newest}",
            "Take an older release of this package, or a Python whose base system is newer",
        )


def find_notes(contents: Contents, target: Target) -> Iterator[str]:
    """Notes on files that load on the target's present system, but did not on its first releases."""
    for name in contents.sizes:
        data = contents.read(name) if _SHARED_OBJECT.search(name) else b""
        if data.startswith(MAGIC):
            for _, version, first in _newer_than(target.system.at_first, read_shared_object(name, data)):
                yield (
                    f"note: {name}: needs {_symbols(data, version)}; early releases of {target.system.name} had only "
                    f"{first}, so do not pin the function to an old runtime version"
                )


def _newer_than(limits: Mapping[str, Version], shared: SharedObject) -> Iterator[tuple[str, str, str]]:
    """Library, symbol version and limit, of each symbol version above the limit of its family."""
    for library, version in shared.versions:
        family, _, number = version.partition("_")
        if family in limits and _parse(number) > limits[family]:
            yield library, version, ".".join(map(str, limits[family]))


def _symbols(data: bytes, version: str) -> str:
    return ", ".join(f"{symbol}@{version}" for symbol in symbols_of_version(data, version)) or version


def _library_problems(name: str, shared: SharedObject, names: set[str]) -> Iterator[Problem]:
    folders = [_resolve(name, part) for part in shared.run_path]
    for library in shared.needed:
        if library in SYSTEM_LIBRARIES or any(posixpath.join(folder, library) in names for folder in folders):
            continue
        elsewhere = [other for other in names if posixpath.basename(other) == library]
        if elsewhere:
            yield Problem(
                name, f"needs {library}, which is at {elsewhere[0]}, off its run path", "Keep the wheel's own folders"
            )
        else:
            yield Problem(
                name,
                f"needs {library}, which neither the layer nor the system has",
                "Add it, or see layers/build/slimming.py",
            )


def _resolve(name: str, run_path: str) -> str:
    """The folder inside the layer that `$ORIGIN/..` and the like mean for the file `name`."""
    origin = "/" + posixpath.dirname(name)
    return posixpath.normpath(run_path.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)).lstrip("/")


def _tag_problems(name: str, target: Target) -> Iterator[Problem]:
    wanted = f"cpython-{target.digits}-{target.processor.wheel}-linux-gnu"
    module = _PYTHON_TAG.search(name)
    if module and module[1] not in (wanted, "abi3"):
        yield Problem(
            name,
            f"a module for {module[1]}, the target needs {wanted} or abi3",
            f"Take the wheel for Python {target.python}",
        )


def _bytecode_problems(contents: Contents, target: Target) -> Iterator[Problem]:
    """One problem for all files, since one Python made the bytecode."""
    tags = {name: match[1] for name in contents.sizes if (match := _BYTECODE_TAG.search(name))}
    wrong = [name for name, tag in tags.items() if tag != target.digits]
    if wrong:
        found = f"bytecode of Python {tags[wrong[0]]} in {len(wrong)} files, which Python {target.python} never reads"
        yield Problem(wrong[0], found, f"Build the layer for Python {target.python}")


def _wheel_problems(name: str, text: str, target: Target) -> Iterator[Problem]:
    """Compares the wheel's own tags, since a module's name may end in a plain `.so`, as LiteRT's do."""
    tags = re.findall(r"^Tag: (\S+)-(\S+)-(\S+)$", text, re.MULTILINE)
    if tags and not any(_fits(tag, target) for tag in tags):
        found = ", ".join("-".join(tag) for tag in tags[:3])
        yield Problem(
            name,
            f"a wheel for {found}, the target is Python {target.python} on {target.arch}",
            f"Take the wheel for cp{target.digits} and {target.processor.wheel}",
        )


def _fits(tag: tuple[str, str, str], target: Target) -> bool:
    python, abi, system = tag
    if not system.endswith(("any", target.processor.wheel)):
        return False
    if abi == "abi3":
        return int(python.removeprefix("cp3")) <= int(target.digits[1:])
    return python.startswith("py") or (python == f"cp{target.digits}" and abi in (python, "none"))


def _parse(number: str) -> Version:
    """Give (2, 29) for "2.29". A name such as GLIBC_ABI_DT_RELR or GLIBC_PRIVATE is newer than all."""
    parts = number.split(".")
    return tuple(map(int, parts)) if all(part.isdigit() for part in parts) else (1_000_000,)
