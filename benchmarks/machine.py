"""The processor's name, for figures that hold for this machine only."""

from pathlib import Path

VNNI_FLAGS = {"avx512_vnni", "avx_vnni"}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Its name, and whether it multiplies 8-bit integers four at a time."""
    lines = [line.split(":", 1) for line in cpuinfo.read_text(encoding="utf-8").splitlines() if ":" in line]
    fields = {name.strip(): value.strip() for name, value in lines}
    vnni = sorted(VNNI_FLAGS & set(fields.get("flags", "").split()))
    return f"{fields.get('model name', 'a processor without a name')} ({', '.join(vnni) or 'no VNNI'})"
