"""Names of files that are no picture of a served format, so that a refusal can say what came.

Sources: ISO/IEC 14496-12, 4.3 (`ftyp` and its brands); ISO/IEC 15444-1, I.5.1 (JPEG 2000); ISO/IEC 18181-2 (JPEG XL);
each format's own specification.
"""

from collections.abc import Mapping

from chalicelib.inference.formats import ACCEPTED

_PICTURES = {
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL \r\n\x87\n": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"II\xbc\1": "JPEG XR",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"8BPS": "PSD",
    b"%PDF": "PDF",
    b"%!": "EPS",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"\0\0\1\0": "ICO",
    b"icns": "ICNS",
    b"qoif": "QOI",
    b"gimp xcf": "XCF",
    b"\x8aMNG\r\n\x1a\n": "MNG",
    b"\x8bJNG\r\n\x1a\n": "JNG",
    b"\xd7\xcd\xc6\x9a": "WMF",
    b"DDS ": "DDS",
    b"v/1\1": "OpenEXR",
    b"#?RADIANCE": "Radiance HDR",
    b"FUJIFILMCCD-RAW": "RAW",
}
"""First bytes to the name of what can be converted to a picture that is served."""
_FILES = {
    b"<": "SVG, XML or HTML",
    b"\xef\xbb\xbf<": "SVG, XML or HTML",
    b"{": "JSON",
    b"data:": "a data: URL",
    b"version https://git-lfs": "a Git LFS pointer",
    b"\0\5\x16\7": "a file that macOS keeps beside another (AppleDouble)",
    b"PK\3\4": "ZIP, or a document that is one",
    b"\x1f\x8b": "gzip",
    b"7z\xbc\xaf'\x1c": "7-Zip",
    b"Rar!": "RAR",
    b"\x1aE\xdf\xa3": "WebM or Matroska video",
}
"""First bytes, behind white space, to the name of what cannot."""
_BRANDS = {
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"hevc": "HEIC",
    b"hevx": "HEIC",
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "RAW",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
}
"""Of `ftyp`: the major brand, then those that the file is compatible with. A HEIC or AVIF file may name HEIF first."""
_RIFF = {b"WAVE": "WAV", b"AVI ": "AVI video"}


def refusal(data: bytes) -> str:
    """The message for bytes that are in no served format: what they look like, and what is accepted."""
    head = data[:256]
    picture = _brand(head) if head[4:8] == b"ftyp" else _first(_PICTURES, head)
    kind = picture or _RIFF.get(head[8:12], "") or _first(_FILES, head.lstrip(b" \t\r\n"))
    what = f"this looks like {kind}" if kind else "the bytes are no known image format"
    advice = "; convert it to JPEG" if picture and "video" not in picture else ""
    return f"{what} ({len(data)} bytes received): {ACCEPTED}{advice}"


def _first(names: Mapping[bytes, str], head: bytes) -> str:
    return next((name for start, name in names.items() if head.startswith(start)), "")


def _brand(head: bytes) -> str:
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    names = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return next((name for name in names if name != "HEIF"), names[0] if names else "MP4 or QuickTime video")
