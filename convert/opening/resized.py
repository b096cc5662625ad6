"""A source of fixed size at another size of pictures."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.errors import ConvertError
from convert.graph import Graph
from convert.opening.tflite import Reference
from convert.other_size import of_size
from convert.quantize import detect
from convert.sources import Sizes, Source

Size = tuple[int, int]
"""Width and height in px."""


class GraphSizes:
    """A .tflite graph at other sizes; see `sources.Sizes`. The reference is that graph as the file has it."""

    def __init__(self, tflite: bytes) -> None:
        """The file, whose input is (1, H, W, C)."""
        self._graph = Graph(tflite)

    def fits(self, size: Size) -> bool:
        """Whether every layer takes pictures of this size."""
        return of_size(self._graph, size) is not None

    def at(self, size: Size) -> tuple[bytes, Callable[[NDArray[np.float32]], NDArray[Any]]]:
        """The .tflite file and the reference; `size` fits."""
        graph = of_size(self._graph, size)
        assert graph is not None
        tflite = graph.serialize()
        return tflite, Reference(tflite)


def at_size(source: Source, size: Size | None) -> Source:
    """The source for pictures of another size, with itself as its `own`; raises ConvertError if a layer does not fit.

    A size of None, or the one that it has, changes nothing.
    """
    height, width, channels = source.input_shape
    if size is None or size == (width, height):
        return source
    tflite, scores = fitting(source, size).at(size)
    note = f"the network is for {width}x{height} px: at {size[0]}x{size[1]} it answers otherwise"
    if (form := detect(Graph(tflite))) not in ("float32", "float16"):
        note += f", and what is {form} in it was made for pictures of {width}x{height}"
    return replace(
        source,
        tflite=tflite,
        input_shape=(size[1], size[0], channels),
        scores=scores,
        origin={**source.origin, "made_for": f"{width}x{height}"},
        notes=(*source.notes, note),
        own=source,
    )


def fitting(source: Source, size: Size) -> Sizes:
    """The source at other sizes, of which `size` is known to fit; raises ConvertError if a layer does not fit it."""
    height, width, _ = source.input_shape
    sizes = source.sizes or GraphSizes(source.tflite)
    if not sizes.fits(size):
        raise ConvertError(_refusal(source.name, sizes, size, (width, height)))
    return sizes


def _refusal(name: str, sizes: Sizes, asked: Size, own: Size) -> str:
    nearest = _nearest(sizes, own, asked)
    return (
        f"{name} cannot take pictures of {asked[0]}x{asked[1]} px: a layer does not fit them, such as a dense layer on "
        f"the whole map or a kernel larger than its map; the nearest size that works is {nearest[0]}x{nearest[1]}"
    )


def _nearest(sizes: Sizes, own: Size, asked: Size) -> Size:
    """A size that works, on the line from `own` to `asked`, which does not, found by halving the distance."""
    steps = max(abs(a - b) for a, b in zip(own, asked, strict=True))

    def size(step: int) -> Size:
        width, height = (a + round((b - a) * step / steps) for a, b in zip(own, asked, strict=True))
        return width, height

    works, fails = 0, steps
    while fails - works > 1:
        middle = (works + fails) // 2
        works, fails = (middle, fails) if sizes.fits(size(middle)) else (works, middle)
    return size(works)
