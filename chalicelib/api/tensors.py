"""Tensors of the Open Inference Protocol as pictures: BYTES with a picture in each element, or UINT8 pixels.

Source: inference_rest.md of the Open Inference Protocol, "Tensor Data"; Triton's "binary data extension" (each element
of BYTES begins with its length, four bytes, little-endian).
"""

import io
import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from chalicelib.api.contract import MAX_INSTANCES
from chalicelib.api.parsing import Fetch, picture_of
from chalicelib.errors import InvalidRequest, shown
from chalicelib.inference.formats import HEAD_BYTES, format_of

BYTES, UINT8 = "BYTES", "UINT8"
OUTPUTS: Mapping[str, str] = {"scores": "FP32", "labels": BYTES, "indices": "INT64"}
"""An answer's tensors, name to datatype. Each has a row for each picture, best label first."""
_EXPECTED = (
    "expected one input, of datatype BYTES with a base64 picture in each element, or UINT8 of shape [N, H, W, 3] "
    f"with RGB pixels, and at most {MAX_INSTANCES} pictures"
)
_MOST_DIMENSIONS = 4


def pictures_of(inputs: Any, rest: bytes, fetch: Fetch) -> tuple[bytes, ...]:
    """The pictures of a request's `inputs`; `rest` are the bytes behind its JSON.

    Raises InvalidRequest, or what `fetch` raises for an `s3://` picture.
    """
    if not isinstance(inputs, list) or len(inputs) != 1 or not isinstance(inputs[0], dict):
        raise InvalidRequest(f'"inputs" is {shown(inputs)}: {_EXPECTED}')
    tensor = inputs[0]
    shape, datatype = _shape(tensor.get("shape")), tensor.get("datatype")
    size = _binary_size(tensor, rest)
    if datatype == BYTES:
        elements = _elements(rest) if size is not None else _flat(tensor.get("data"))
        pictures = tuple(_picture(one, number, fetch) for number, one in enumerate(elements))
        if len(pictures) != math.prod(shape):
            raise InvalidRequest(f"the input has {len(pictures)} elements and the shape {list(shape)}: {_EXPECTED}")
        return pictures
    if datatype == UINT8:
        return _from_pixels(rest if size is not None else _small_numbers(tensor.get("data")), shape)
    raise InvalidRequest(f"the input's datatype is {shown(datatype)}: {_EXPECTED}")


def _shape(shape: Any) -> tuple[int, ...]:
    """Positive whole numbers, the first of them the number of pictures."""
    good = isinstance(shape, list) and 1 <= len(shape) <= _MOST_DIMENSIONS
    if not good or not all(type(n) is int and 1 <= n < 2**31 for n in shape) or shape[0] > MAX_INSTANCES:
        raise InvalidRequest(f"the input's shape is {str(shape)[:60]}: {_EXPECTED}")
    return tuple(shape)


def _binary_size(tensor: dict[str, Any], rest: bytes) -> int | None:
    """How many bytes behind the JSON are the tensor's; None if its data is in the JSON."""
    parameters = tensor.get("parameters")
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if ("data" in tensor) == (size is not None) or size not in (None, len(rest)) or (size is None and rest):
        raise InvalidRequest(
            f"the input needs either data or binary_data_size, not {shown(size)}: {len(rest)} bytes follow the JSON"
        )
    return None if size is None else len(rest)


def _elements(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "little")
        if at + 4 > len(data) or end > len(data):
            raise InvalidRequest(f"an element of the input ends behind its {len(data)} bytes of binary data")
        yield data[at + 4 : end]
        at = end


def _picture(element: Any, number: int, fetch: Fetch) -> bytes:
    """An element's picture: its own bytes, base64 as a JSON string or as bytes, or an S3 URL."""
    if number >= MAX_INSTANCES:
        raise InvalidRequest(f"the input has more than {MAX_INSTANCES} pictures: {_EXPECTED}")
    if isinstance(element, bytes):
        if format_of(element[:HEAD_BYTES]) or not element.isascii():
            return element
        element = element.decode("ascii")
    return picture_of(element, f"picture {number} of the input", fetch)


def _flat(data: Any) -> list[Any]:
    """The elements of a tensor, which JSON holds in one list or in lists of lists, row by row."""
    for _ in range(_MOST_DIMENSIONS):
        if not isinstance(data, list):
            break
        if not data or not isinstance(data[0], list):
            return data
        try:
            data = list(chain.from_iterable(data))
        except TypeError:
            break
    raise InvalidRequest(f"the input's data is {shown(data)}: {_EXPECTED}")


def _small_numbers(data: Any) -> bytes:
    try:
        return bytes(_flat(data))
    except (ValueError, TypeError) as error:
        raise InvalidRequest("the input's data is no list of whole numbers from 0 to 255") from error


def _from_pixels(data: bytes, shape: tuple[int, ...]) -> tuple[bytes, ...]:
    """RGB pixels, row by row, as pictures without loss: the limits and the card's preprocessing hold for them too."""
    from PIL import Image

    pictures, height, width, channels = (1, *shape) if len(shape) == 3 else (*shape, 0, 0, 0)[:4]
    if channels != 3 or len(data) != pictures * height * width * channels:
        raise InvalidRequest(f"the input has {len(data)} bytes and the shape {list(shape)}: {_EXPECTED}")
    size = height * width * channels
    return tuple(
        _bitmap(Image.frombytes("RGB", (width, height), data[n * size : n * size + size])) for n in range(pictures)
    )


def _bitmap(picture: Any) -> bytes:
    with io.BytesIO() as file:
        picture.save(file, "BMP")
        return file.getvalue()
