"""Bodies that a gateway decoded to text although they were bytes. It is imported where a body is text beyond ASCII.

API Gateway decodes what is not among an API's binary media types as UTF-8 and puts U+FFFD in place of every byte that
is not: those bytes are lost. Other fronts decode as Latin-1, which loses nothing. Source: API Gateway developer guide,
"Content type conversions in API Gateway".
"""

from chalicelib.errors import InvalidRequest
from chalicelib.inference.formats import HEAD_BYTES, format_of

_GZIP_MAGIC, _REPLACED = b"\x1f\x8b", "\ufffd"


def exact_bytes(text: str, content_type: str) -> bytes:
    """The bytes from which `text` was decoded; raises InvalidRequest if some are lost, ValueError for lone surrogates.

    JSON that has lost some is left to its parser, which refuses it.

    Text whose characters are all below U+0100 is taken for Latin-1 only if it then begins as a picture or gzip does,
    or is a form. A picture whose bytes are UTF-8 beyond ASCII throughout would be read wrongly: there is none but
    with intent, for two bytes of each four must be C2 or C3.
    """
    kind = content_type.partition(";")[0].strip().lower()
    is_form, is_json = kind.startswith("multipart/"), kind.endswith(("/json", "+json"))
    head = text[:HEAD_BYTES].encode("latin-1", "replace")
    if is_form or format_of(head) or head.startswith(_GZIP_MAGIC):
        try:
            return text.encode("latin-1")
        except UnicodeEncodeError:
            pass  # it was decoded as UTF-8, or bytes are lost
    if _REPLACED in text and not is_json and text.lstrip()[:1] not in ("{", "["):
        raise InvalidRequest(
            "the body reached the function as text, and bytes of it are lost: send it with the Content-Type of its "
            "format, such as image/jpeg, or as base64 in JSON"
        )
    return text.encode()
