"""A source of fixed size at another size of pictures."""

from dataclasses import replace

from convert.graph import Graph
from convert.opening.tflite import Reference
from convert.other_size import of_size
from convert.quantize import detect
from convert.sources import Source


def at_size(source: Source, size: tuple[int, int] | None) -> Source:
    """The source for pictures of `size`, width and height in px, with itself as its `own`; raises ConvertError.

    Its reference is its .tflite graph at that size, before any rewriting or quantisation here. A size of None, or the
    one that it has, changes nothing.
    """
    height, width, channels = source.input_shape
    if size is None or size == (width, height):
        return source
    graph = of_size(Graph(source.tflite), size, source.name)
    tflite = graph.serialize()
    note = f"the network is for {width}x{height} px: at {size[0]}x{size[1]} it answers otherwise"
    if (form := detect(graph)) not in ("float32", "float16"):
        note += f", and what is {form} in it was made for the pictures of {width}x{height}"
    return replace(
        source,
        tflite=tflite,
        input_shape=(size[1], size[0], channels),
        scores=Reference(tflite),
        origin={**source.origin, "made_for": f"{width}x{height}"},
        notes=(*source.notes, note),
        own=source,
    )
