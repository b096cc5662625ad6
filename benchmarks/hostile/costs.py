"""placeholder"""

from benchmarks.hostile.processes import Child


def measured(child: Child) -> tuple[str, list[str], list[list[str]]]:
    """Placeholder."""
    return "", [""], []
