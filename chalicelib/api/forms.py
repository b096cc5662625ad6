"""Which form a prediction's body has: a picture's own bytes, JSON, or multipart/form-data. The bytes decide."""

from collections.abc import Mapping

from chalicelib.api.bodies import Body
from chalicelib.api.contract import QUERY
from chalicelib.api.parsing import Fetch, PredictRequest, parse_image_query, parse_predict
from chalicelib.errors import InvalidRequest, UnsupportedMediaType, shown
from chalicelib.inference.formats import ACCEPTED, BINARY_TYPES, HEAD_BYTES, format_of

MULTIPART = "multipart/form-data"
PREDICT_TAKES = (
    "POST /predict takes application/json, multipart/form-data or an image's own bytes, "
    "POST /predict/image the two latter"
)
UNCHOSEN = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-www-form-urlencoded", "text/plain"}
)
"""What clients send when nobody chose a type: none, S3's two, that of `curl -d`, that of a browser's `fetch`."""


def of_predict(body: Body, query: Mapping[str, str], fetch: Fetch) -> PredictRequest:
    """The body of `POST /predict` in any form; raises InvalidRequest, UnsupportedMediaType, or what `fetch` raises.

    What a query has beyond `top_k` and `model` is passed over, for clients and proxies that add to it.
    """
    if body.media_type == MULTIPART:
        wanted = _multipart(body, fetch)
    elif format_of(body.data[:HEAD_BYTES]):  # no JSON begins so
        wanted = PredictRequest((body.data,))
    elif may_be_json(body):
        wanted = parse_predict(body.data, fetch)
    else:
        raise UnsupportedMediaType(f"Content-Type is {body.media_type[:60]!r}: {PREDICT_TAKES}")
    return _with_query(wanted, {name: value for name, value in query.items() if name in QUERY})


def of_predict_image(body: Body, query: Mapping[str, str], fetch: Fetch) -> PredictRequest:
    """The body of `POST /predict/image`, a picture's bytes or a form; raises as `of_predict`."""
    if body.media_type == MULTIPART:
        return _with_query(_multipart(body, fetch), query)
    top_k, model = parse_image_query(query)
    if not body.data:
        raise InvalidRequest("the body is empty: expected the bytes of an image")
    chosen = body.media_type not in UNCHOSEN and body.media_type not in BINARY_TYPES
    if chosen and not format_of(body.data[:HEAD_BYTES]):
        raise UnsupportedMediaType(
            f"Content-Type is {body.media_type[:60]!r}: {ACCEPTED}, as {', '.join(BINARY_TYPES)}"
        )
    return PredictRequest((body.data,), top_k, model)


def _multipart(body: Body, fetch: Fetch) -> PredictRequest:
    from chalicelib.api import multipart  # most processes see none

    return multipart.parse(body.data, body.content_type, fetch)


def _with_query(wanted: PredictRequest, query: Mapping[str, str]) -> PredictRequest:
    """The request with what its query adds; raises InvalidRequest if that contradicts the body."""
    top_k, model = parse_image_query(query)
    for name, one, other in (("top_k", wanted.top_k, top_k), ("model", wanted.model, model)):
        if None not in (one, other) and one != other:
            raise InvalidRequest(f'"{name}" is {shown(one)} in the body and {shown(other)} in the query: send one')
    return wanted._replace(
        top_k=top_k if wanted.top_k is None else wanted.top_k, model=model if wanted.model is None else wanted.model
    )


def may_be_json(body: Body) -> bool:
    """Whether a body is to be read as JSON: its type says so, or no type was chosen and it begins as an object does."""
    begins = body.data[:100].lstrip()[:1] == b"{"
    return body.is_json or not body.media_type or (body.media_type in UNCHOSEN and begins)
