"""The page at `GET /`: one response made of the files in `web/`; its headers allow only its own script and style."""

import base64
import functools
import hashlib
import re
from pathlib import Path

from chalicelib.api.exchange import Document

WEB = Path(__file__).with_name("web")
"""`index.html`, and the style and the scripts that it names."""
MAX_AGE_S = 600
"""How long a browser may keep the page. A new deployment shows at the latest after this time."""
_STYLE = re.compile(r'<link rel="stylesheet" href="([\w.]+)">\n')
_SCRIPTS = re.compile(r'(?:<script src="[\w.]+"></script>\n)+')


@functools.cache
def document(uploads: str | None = None) -> Document:
    """The page, joined and hashed at the first call: importing `app` costs nothing for it.

    `uploads` is the origin to which its script may send pictures that are too large for a request.
    """
    html = joined()
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Cache-Control": f"public, max-age={MAX_AGE_S}",
        "Content-Security-Policy": content_security_policy(html, uploads),
        "Referrer-Policy": "no-referrer",
    }
    return Document(html, headers)


def joined() -> str:
    """`index.html` with its style and its scripts in place of their names: a browser asks for nothing else."""
    html = _read("index.html")
    html = _STYLE.sub(lambda found: f"<style>\n{_read(found[1])}</style>\n", html)
    return _SCRIPTS.sub(lambda found: f"<script>\n{_scripts(found[0])}</script>\n", html)


def _scripts(tags: str) -> str:
    return "".join(map(_read, re.findall(r'src="([\w.]+)"', tags)))


def _read(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def content_security_policy(html: str, uploads: str | None = None) -> str:
    """Only the inline script and style of `html` itself, named by their SHA-256, requests to its origin and `uploads`.

    Source: Content Security Policy Level 3, "script-src" and "hash-source".
    """
    directives = {
        "default-src": "'none'",
        "script-src": _hashes(html, "script"),
        "style-src": _hashes(html, "style"),
        "img-src": "blob: data:",  # the preview, and the icon
        "connect-src": f"'self' {uploads or ''}".rstrip(),
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
