"""Where the library lies, which processor needs it, and how a function comes to load it before all others."""

import re
from pathlib import Path

SOURCE = Path(__file__).with_name("cpulist.c")
PATH = "lib/libcpulist.so"
"""In the runtime layer."""
LOADED_FROM = f"/opt/{PATH}"
"""Where a function sees it."""
VARIABLE = "LD_PRELOAD"
"""Source: ld.so(8)."""
_NEEDED_ON = frozenset({"arm64"})
"""x86_64 asks the processor itself (CPUID)."""


def is_needed_on(arch: str) -> bool:
    """Whether Lambda's processor of this name needs the library."""
    return arch in _NEEDED_ON


def preload(arch: str, chosen: str = "") -> str:
    """The value of LD_PRELOAD on a processor: what the user has chosen, and the library behind it where it is needed.

    Empty if there is nothing to load.
    """
    others = [path for path in re.split("[: ]+", chosen) if path not in ("", LOADED_FROM)]
    return ":".join([*others, LOADED_FROM] if is_needed_on(arch) else others)
