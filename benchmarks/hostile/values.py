"""Values of a request's fields, parameters and headers; with each, where they differ, the status of the answer."""

from typing import Any

JSON_TYPE = "application/json"

NO_BASE64 = [
    *("", " ", "=", "====", "!", "!!!!", "A", "AAAAA", "AA=A", "A===", "AAA=====", "AA==AA==", "AAÄA", "AA\0A"),
    *("data:", "data:,", "data:image/png;base64,", "data:image/png,AAAA", "data:image/png;base64;AAAA", "A\u00a0AAA"),
    *("%2B%2B", "AAAA\\n", "<img>", "\ufeffAAAA", "AAAA;AAAA", "https://example.org/a.png", "s3://bucket/key"),
]
NO_FIELDS: list[Any] = [None, True, False, 0, -1, 1.5, 10**30, [], {}, ["AAAA"], {"b64": "AAAA"}]
BODIES = [
    *("", " ", "{", "}", "[", "[]", "null", "true", "1", "1e999", "-0", '"text"', "[1]", "{}", "{,}", "{'image': 1}"),
    *('{"image"}', '{"image":}', '{"image": NaN}', '{"image": Infinity}', '{"image": -Infinity}', "image=AAAA", "\0"),
    *('{"Image": "AAAA"}', '{"": 1}', '{"image": "AAAA"} x', '{"image": "AAAA",}', '// x\n{"image": "AAAA"}'),
    *("[" * 100_000, '{"a":' * 50_000, '{"image": ' + "[" * 5_000 + "]" * 5_000 + "}", '{"image": "AAAA", "x": 1}'),
    *('{"image": "\\ud800"}', '{"image": "AAAA', '{"top_k": ' + "9" * 5_000 + "}", "\ufeff", "<xml/>", "--x\r\n"),
    *('{"signature_name": "x", "image": "AAAA"}', '{"image": "AAAA", "instances": []}', '{"instances": [{}]}'),
]
TOP_K: list[tuple[str, int]] = [
    *(("1", 200), ("5", 200), ("10", 200), ("5.0", 200), ("1e0", 200), ("1E1", 200), ("10.0", 200)),
    *(("0", 400), ("-1", 400), ("-0", 400), ("1.5", 400), ("11", 400), ("1e1000", 400), ("1e9", 400), ("0.99", 400)),
    *(("true", 400), ("false", 400), ("null", 400), ('"5"', 400), ('""', 400), ("[5]", 400), ("{}", 400)),
    *((str(2**31), 400), (str(2**63), 400), (str(2**64), 400), ("9" * 4_000, 400), ("1e-9", 400), ("-5.0", 400)),
    *(("05", 400), ("+5", 400), (".5", 400), ("5.", 400), ("0x5", 400), ("NaN", 400), ("Infinity", 400), ("", 400)),
]
TOP_K_QUERY = [
    *(("1", 200), ("10", 200), ("007", 200), ("000000010", 200), ("0", 400), ("00", 400), ("-1", 400), ("+1", 400)),
    *(("", 400), (" 1", 400), ("1 ", 400), ("1.0", 400), ("1e0", 400), ("11", 400), ("999999999", 400)),
    *(("9" * 5_000, 400), ("\u0663", 400), ("\u00b2", 400), ("1_0", 400), ("true", 400), ("null", 400), ("1,2", 400)),
    *(("NaN", 400), ("Infinity", 400), ("0x1", 400), ("1\0", 400), ("'1'", 400), ("[1]", 400), ("\U0001f600", 400)),
]
MODELS: list[tuple[Any, int]] = [
    *(("digits", 200), ("nobody", 404), ("Digits", 404), (" digits", 404), ("digits ", 404), ("../models/digits", 404)),
    *(("/etc/passwd", 404), ("digits/../digits", 404), (".", 404), ("..", 404), ("digits\0", 404), ("x" * 9_000, 404)),
    *(("\u202edigits", 404), ("\ud800", 404), ("", 400), (None, 400), (1, 400), (True, 400), ([], 400), ({}, 400)),
]
JSON_TYPES = [
    *((JSON_TYPE, 200), ("APPLICATION/JSON", 200), ("application/json; charset=utf-8", 200), ("text/x+json", 200)),
    *(("application/json;", 200), (" application/json ", 200), ("application/vnd.x+json", 200), ("", 200)),
    *(("text/plain", 200), ("application/x-www-form-urlencoded", 200), ("application/octet-stream", 200), (";", 200)),
    *(("image/png", 415), ("application/jsonx", 415), ("multipart/form-data; boundary=x", 400), ("json", 415)),
    *(("multipart/form-data", 400), ("application/json,text/plain", 400), ("application/json, application/json", 400)),
    *(("*/*", 415), ("x" * 9_000, 415), ("\u00e4", 415), ("text/json", 415), ("multipart/mixed; boundary=x", 415)),
]
OTHER_TYPES = [
    *("image/tiff", "image/avif", "image/heic", "image/svg+xml", "application/json", "text/plain", "image", "/", "\0"),
    *("application/pdf", "*/*", "image/*", "x" * 9_000, "image/pjpeg", "binary/octet-stream", "application/x-tar"),
    *("application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "text/html"),
]
"""Of a body that is a picture: its bytes decide."""
CODINGS = [
    *(("identity", 200), ("", 200), ("gzip", 400), ("GZIP", 400), ("x-gzip", 400), ("br", 415), ("deflate", 415)),
    *(("gzip, gzip", 415), ("compress", 415), ("zstd", 415), ("x" * 9_000, 415), ("\0", 415)),
]
"""Content-Encoding of a body that is not compressed."""
FOREIGN = {
    "text": b"hello",
    "PDF": b"%PDF-1.7\n",
    "little TIFF": b"II*\0" + bytes(90),
    "big TIFF": b"MM\0*" + bytes(90),
    "PSD": b"8BPS\0\1" + bytes(90),
    "SVG": b"<svg/>",
    "HTML": b"<!doctype html>",
    "EPS": b"%!PS-Adobe-3.0\n",
    "ICO": b"\0\0\1\0\1\0" + bytes(90),
    "ZIP": b"PK\3\4" + bytes(90),
    "GZIP": b"\x1f\x8b\x08" + bytes(90),
    "AVIF": b"\0\0\0 ftypavif" + bytes(90),
    "HEIC": b"\0\0\0 ftypheic" + bytes(90),
    "ELF": b"\x7fELF" + bytes(90),
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(90),
    "JPEG XL": b"\xff\x0a" + bytes(90),
    "WAV": b"RIFF" + b"WAVE" * 9,
    "MP4": b"\0\0\0 ftypisom" + bytes(90),
    "one byte": b"\xff",
    "zeros": bytes(1_000),
    "0xff": b"\xff" * 1_000,
    "TGA": b"\0\0\2" + bytes(90),
    "PPM": b"P6 1 1 255\n",
    "PCX": b"\x0a\5\1\x08" + bytes(90),
    "DDS": b"DDS " + bytes(90),
}
