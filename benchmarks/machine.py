"""Names this machine's processor, beside figures that hold for it only."""

from pathlib import Path

VNNI_FLAGS = {"avx512_vnni", "avx_vnni"}


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, and its instructions for 8-bit products (VNNI), if any; raises OSError."""
    lines = [line.split(":", 1) for line in cpuinfo.read_text(encoding="utf-8").splitlines() if ":" in line]
    fields = {name.strip(): value.strip() for name, value in lines}
    vnni = sorted(VNNI_FLAGS & set(fields.get("flags", "").split()))
    return f"{fields.get('model name', 'a processor without a name')} ({', '.join(vnni) or 'no VNNI'})"
