"""The pictures that are sent: photographs enlarged, or drawn where there are none."""

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter, ImageOps

PIXELS = "12-megapixel"


class Kind(NamedTuple):
    """A picture's size in px, and how Pillow writes it."""

    size: tuple[int, int]
    image_format: str
    options: Mapping[str, Any]


KINDS = {
    "500x375 JPEG": Kind((500, 375), "JPEG", {"quality": 90}),
    "500x375 PNG": Kind((500, 375), "PNG", {}),
    f"{PIXELS} JPEG": Kind((4000, 3000), "JPEG", {"quality": 75}),
    f"{PIXELS} JPEG, quality 92": Kind((4000, 3000), "JPEG", {"quality": 92}),
    "1600x1200 PNG": Kind((1600, 1200), "PNG", {}),
    "1600x1200 WebP": Kind((1600, 1200), "WEBP", {"quality": 80}),
    "1600x1200 WebP, lossless": Kind((1600, 1200), "WEBP", {"lossless": True, "quality": 50}),
}


def written(kind: Kind, photograph: Path | None) -> bytes:
    """The file of a picture of this kind."""
    image = drawn(kind.size) if photograph is None else enlarged(photograph, kind.size)
    buffer = io.BytesIO()
    image.save(buffer, kind.image_format, **kind.options)
    return buffer.getvalue()


def enlarged(photograph: Path, size: tuple[int, int]) -> Image.Image:
    """The middle of a photograph at this size."""
    with Image.open(photograph) as image:
        return ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC)


def drawn(size: tuple[int, int]) -> Image.Image:
    """Gradients under noise of all scales, the coarse ones the strongest: it compresses about as a photograph does."""
    rng = np.random.default_rng(0)
    width, height = size
    total = np.zeros((height, width, 3), np.float32)
    for scale in (1, 2, 4, 8, 16, 32, 64, 128):
        noise = rng.normal(0, 1, (-(-height // scale), -(-width // scale), 3)).astype(np.float32)
        noise += 2 * noise.mean(axis=2, keepdims=True)  # channels of a photograph resemble each other
        grey = Image.fromarray(np.clip(128 + 20 * noise, 0, 255).astype(np.uint8)).resize(
            size, Image.Resampling.BICUBIC
        )
        total += (np.asarray(grey, np.float32) - 128) * scale**0.5 / 12
    total += np.linspace(60, 190, width, dtype=np.float32)[:, np.newaxis]
    return Image.fromarray(np.clip(total, 0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


def event(picture: bytes) -> dict[str, Any]:
    """`POST /predict` with base64 in JSON, as the REST API hands it to the function: the body is base64 itself."""
    body = json.dumps({"image": base64.b64encode(picture).decode()}).encode()
    return {
        "requestContext": {"httpMethod": "POST", "resourcePath": "/predict", "requestId": "benchmark"},
        "headers": {"content-type": "application/json"},
        "multiValueQueryStringParameters": None,
        "pathParameters": None,
        "stageVariables": None,
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }
