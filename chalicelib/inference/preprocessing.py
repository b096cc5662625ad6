"""Pixels to the model's input tensor. Conversion and serving run the same code, so that they cannot differ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chalicelib.inference.card import InputSpec


def quantize(real: NDArray[np.float64], dtype: np.dtype[Any], scale: float, zero_point: int) -> NDArray[Any]:
    """Real values in the tensor's dtype: q = round(real / scale) + zero_point, clipped to the dtype's range.

    If the dtype is a float, or the scale is 0 (TensorFlow Lite's "not quantised"), the values are only cast.
    Source: TensorFlow Lite 8-bit quantization specification.
    """
    if not np.issubdtype(dtype, np.integer) or scale == 0:
        return real.astype(dtype)
    limits = np.iinfo(dtype)
    quantized: NDArray[Any] = np.clip(np.rint(real / scale) + zero_point, limits.min, limits.max).astype(dtype)
    return quantized


def dequantize(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float64]:
    """The inverse of `quantize`: real = scale * (q - zero_point), or the values themselves if the scale is 0.

    The values are widened before the subtraction, so that 8-bit values cannot wrap.
    """
    wide = values.astype(np.float64)
    return wide if scale == 0 else (wide - zero_point) * scale


class InputEncoder:
    """Encodes uint8 pixels as `spec` and the input tensor require.

    A channel has only 256 values. So normalising and quantising is a table of 256 entries, computed once for each
    channel: exact, and the same code for float and integer models.
    """

    def __init__(self, spec: InputSpec, dtype: np.dtype[Any], scale: float = 0.0, zero_point: int = 0) -> None:
        """`dtype`, `scale` and `zero_point` are those of the model's input tensor; a scale of 0: not quantised."""
        self._spec = spec
        values = np.arange(256, dtype=np.float64)
        tables = [(values - mean) / std for mean, std in zip(spec.mean, spec.std, strict=True)]
        self._tables = [quantize(table, dtype, scale, zero_point) for table in tables]
        self._same = all(np.array_equal(self._tables[0], table) for table in self._tables)
        self._bytes = self._tables[0].tobytes() if self._same and dtype.itemsize == 1 else None
        self._is_identity = self._bytes == bytes(range(256)) and dtype == np.uint8

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        """uint8 (height, width, channels) to the tensor's dtype (1, height, width, channels). Read, do not write it.

        On 299x299 pixels `translate` takes 0.19 ms, `take` 0.24 and an index 0.58.
        """
        if self._spec.color == "BGR":
            pixels = pixels[..., ::-1]
        encoded: NDArray[Any]
        if self._is_identity:
            encoded = pixels
        elif self._bytes is not None:
            translated = pixels.tobytes().translate(self._bytes)
            encoded = np.frombuffer(translated, self._tables[0].dtype).reshape(pixels.shape)
        elif self._same:
            encoded = self._tables[0].take(pixels)
        else:
            encoded = np.stack([table.take(pixels[..., i]) for i, table in enumerate(self._tables)], axis=-1)
        return encoded[np.newaxis]
