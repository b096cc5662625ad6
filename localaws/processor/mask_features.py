"""The features of a processor that decide how fast a model runs, under the kernel's names (/proc/cpuinfo)."""

from pathlib import Path
from typing import NamedTuple

AVX2, AVX512, AVX512_VNNI, AVX_VNNI, AMX = "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"
DOT_PRODUCT, I8MM = "asimddp", "i8mm"
WORDS = {
    AVX2: "AVX2",
    AVX512: "AVX-512",
    AVX512_VNNI: "AVX-512 VNNI",
    AVX_VNNI: "AVX-VNNI",
    AMX: "AMX",
    DOT_PRODUCT: "dot product",
    I8MM: "i8mm",
}
"""Each feature as headings write it. VNNI, AMX, the dot product and i8mm are instructions for 8-bit products."""
_INCLUDED = {AVX2: {AVX512}, AVX512: {AVX512_VNNI}, AVX_VNNI: {AVX512_VNNI}, DOT_PRODUCT: {I8MM}}
"""A feature that headings leave out, because one of these says as much."""
NAMELESS = "a processor without a name"


class Machine(NamedTuple):
    """The processor of this machine."""

    name: str
    features: frozenset[str]
    """Those of `WORDS` that it has."""


def read(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """The processor as the kernel describes it; without a name and features where there is no such file."""
    try:
        lines = [line.split(":", 1) for line in cpuinfo.read_text(encoding="utf-8").splitlines() if ":" in line]
    except OSError:
        return Machine(NAMELESS, frozenset())
    fields = {name.strip(): value.strip() for name, value in lines}
    flags = fields.get("flags", fields.get("Features", "")).split()  # x86's name, and Arm's
    return Machine(fields.get("model name", NAMELESS), frozenset(WORDS) & set(flags))


def in_words(features: frozenset[str]) -> str:
    """For headings: "AVX-512 VNNI, AMX"."""
    shown = [words for name, words in WORDS.items() if name in features and not features & _INCLUDED.get(name, set())]
    return ", ".join(shown) or "no feature that is known here"
