"""The page at `GET /`: one file, and headers that allow only its own script and style."""

import base64
import functools
import hashlib
import re
from pathlib import Path

from chalicelib.api.exchange import Document

PAGE_FILE = Path(__file__).with_name("index.html")
MAX_AGE_S = 600
"""How long a browser may keep the page. A new deployment shows at the latest after this time."""


@functools.cache
def document() -> Document:
    """The page, read and hashed at the first call: importing `app` costs nothing for it."""
    html = PAGE_FILE.read_text(encoding="utf-8")
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Content-Security-Policy": content_security_policy(html),
        "Referrer-Policy": "no-referrer",
    }
    return Document(html, headers)


def content_security_policy(html: str) -> str:
    """Only the inline script and style of `html` itself, named by their SHA-256, and requests to its own origin.

    Source: Content Security Policy Level 3, "script-src" and "hash-source".
    """
    directives = {
        "default-src": "'none'",
        "script-src": _hashes(html, "script"),
        "style-src": _hashes(html, "style"),
        "img-src": "blob: data:",  # the preview, and the icon
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
    }
    return "; ".join(f"{name} {value}" for name, value in directives.items())


def _hashes(html: str, element: str) -> str:
    contents = re.findall(f"<{element}>(.*?)</{element}>", html, re.S)
    digests = (hashlib.sha256(text.encode()).digest() for text in contents)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
