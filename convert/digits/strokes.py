"""Handwriting to learn from: scikit-learn's scanned digits, and strokes as a mouse draws them.

The scans are 8x8; a mouse leaves thin, sharp lines somewhere on a large canvas. Training sees both, at
any size and place, tilted, thick and thin, dark on light and light on dark.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

CANVAS_PX = 144
SIZE_PX = 48
"""Side of the network's input."""
_STROKES: dict[str, list[list[list[tuple[float, float]]]]] = json.loads(Path(__file__).with_suffix(".json").read_text())
"""One or more ways to write each digit: strokes of points in a unit square, x to the right, y down."""

_RESAMPLING = [Image.Resampling.NEAREST, *[Image.Resampling.BILINEAR] * 3, *[Image.Resampling.BICUBIC] * 3]
"""How a scan may have been enlarged by whoever sends it; blocks are rare."""


def drawn(digit: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A digit as a mouse draws it: float32 (SIZE_PX, SIZE_PX), 0 paper to 1 ink."""
    variants = _STROKES[str(digit)]
    strokes = variants[rng.integers(len(variants))]
    canvas = Image.new("L", (CANVAS_PX, CANVAS_PX))
    pen = ImageDraw.Draw(canvas)
    width = int(rng.integers(4, 17))
    matrix, offset = _placement(rng, largest=0.95, aspect=float(rng.uniform(0.5, 0.85)))
    for stroke in strokes:
        points = np.array(stroke) + rng.normal(0, 0.03, (len(stroke), 2))
        line = (_smooth(points) - 0.5) @ matrix.T * CANVAS_PX + offset * CANVAS_PX
        pen.line([(float(x), float(y)) for x, y in line], fill=255, width=width, joint="curve")
        for x, y in (line[0], line[-1]):
            pen.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=255)
    return _shrink(canvas)


def scanned(pixels: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    """One of scikit-learn's 8x8 digits (0..16) placed anew: float32 (SIZE_PX, SIZE_PX), 0 paper to 1 ink."""
    matrix, offset = _placement(rng, largest=1.15, aspect=1.0)
    inverse = np.linalg.inv(matrix * CANVAS_PX / 8)
    shift = np.array([4.0, 4.0]) - inverse @ (offset * CANVAS_PX)
    source = Image.fromarray((pixels * (255 / 16)).astype(np.uint8))
    resampling = _RESAMPLING[rng.integers(len(_RESAMPLING))]
    coefficients = (*inverse[0], shift[0], *inverse[1], shift[1])
    canvas = source.transform((CANVAS_PX, CANVAS_PX), Image.Transform.AFFINE, coefficients, resampling)
    ink = _shrink(canvas)
    if rng.random() < 0.5:  # a hard pen instead of the scanner's soft one
        threshold, gain = rng.uniform(0.3, 0.6), rng.uniform(4, 16)
        return np.asarray(1 / (1 + np.exp(-gain * (ink - threshold))), np.float32)
    return ink


def on_paper(ink: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Ink on paper of some contrast, either way round, with a little noise: uint8, same shape."""
    paper, pen = rng.uniform(0, 60), rng.uniform(150, 255)
    if rng.random() < 0.3:
        paper, pen = 0.0, 255.0
    if rng.random() < 0.5:
        paper, pen = 255 - paper, 255 - pen
    grey = paper + (pen - paper) * ink + rng.normal(0, rng.uniform(0, 6), ink.shape)
    return np.clip(np.rint(grey), 0, 255).astype(np.uint8)


def _placement(
    rng: np.random.Generator, largest: float, aspect: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A matrix that scales, tilts and shears the unit square, and where on the canvas its middle comes to lie."""
    height = rng.uniform(0.35, largest)
    angle, shear = rng.normal(0, 0.13), rng.normal(0, 0.15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.array([[1, shear], [0, 1]]) @ np.diag([height * aspect, height])
    margin = abs(1 - height) / 2
    return matrix, np.array([0.5, 0.5]) + rng.uniform(-margin, margin, 2)


def _smooth(points: NDArray[np.float64], steps: int = 8) -> NDArray[np.float64]:
    """A Catmull-Rom spline through `points`; two points stay a straight line."""
    if len(points) < 3:
        return points
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, 1, steps)[:, None]
    pieces = []
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        cubic = 3 * (p1 - p2) + p3 - p0
        pieces.append(p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * cubic)))
    return np.vstack(pieces)


def _shrink(canvas: Image.Image) -> NDArray[np.float32]:
    if canvas.width != SIZE_PX:
        canvas = canvas.filter(ImageFilter.GaussianBlur(0.5)).resize((SIZE_PX, SIZE_PX), Image.Resampling.BILINEAR)
    return np.asarray(canvas, np.float32) / np.float32(255)
