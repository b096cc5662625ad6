"""Pictures for benchmarks: scikit-learn's scans of handwritten digits, each at a random place on a canvas."""

import io
import random
from typing import Any

SIDE_PX, SCAN_PX = 24, 16


def load() -> Any:
    """Scikit-learn's set: `images`, float64 in 0..16 (N, 8, 8), and `target`, the digits."""
    from sklearn.datasets import load_digits

    return load_digits()


def png(scan: Any, chance: random.Random, brightness: float = 1.0) -> bytes:
    """A scan (8, 8), 0..16, as a grey PNG with sides of SIDE_PX; `chance` decides its place, `brightness` is 0..1."""
    from PIL import Image

    canvas = Image.new("L", (SIDE_PX, SIDE_PX))
    enlarged = Image.fromarray((scan * 15.9).astype("uint8")).resize((SCAN_PX, SCAN_PX))
    canvas.paste(enlarged.point(lambda value: value * brightness), (chance.randint(2, 6), chance.randint(2, 6)))
    file = io.BytesIO()
    canvas.save(file, "PNG")
    return file.getvalue()
