"""Where the project and the tests' data lie."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
SEVEN = DATA / "seven.png"
"""A handwritten seven, 24x24."""
