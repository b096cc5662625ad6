"""AccessDenied as each service says it."""

import json
import uuid
from html import escape

from werkzeug.wrappers import Response

from localaws.access.calls import Call

_EXCEPTION = "AccessDeniedException"


def denied(call: Call, message: str) -> Response:
    """The service's response to a call that no policy allows."""
    if call.service == "s3":
        body = f"<Error><Code>AccessDenied</Code><Message>{escape(message)}</Message></Error>"
        is_head = call.environ["REQUEST_METHOD"] == "HEAD"
        return Response("" if is_head else body, 403, content_type="application/xml")
    body = json.dumps({"__type": f"com.amazon.coral.service#{_EXCEPTION}", "message": message, "Message": message})
    headers = {"x-amzn-errortype": _EXCEPTION, "x-amzn-requestid": str(uuid.uuid4())}
    if call.service == "sqs":
        headers["x-amzn-query-error"] = "AccessDenied;Sender"
    status = 400 if call.target and call.service != "sqs" else 403
    return Response(body, status, headers, content_type="application/x-amz-json-1.0")
