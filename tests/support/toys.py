"""Small functions for the host: zips made in memory, and a handler that does what the event says."""

import io
import json
import zipfile
from typing import Any

from layers.pythons import own
from localaws.host.function import Archive, Function
from localaws.host.invocation import Result
from localaws.host.lambda_host import LambdaHost

HANDLER = """
import json, os, sys, time
print("loaded")

def handler(event, context):
    do, value = event.get("do"), event.get("value")
    if do == "sleep":
        time.sleep(value)
    elif do == "exit":
        sys.exit(value)
    elif do == "raise":
        raise ValueError(value)
    elif do == "print":
        print(value, flush=True)
    elif do == "write bytes":
        os.write(1, bytes(value))
    elif do == "return a set":
        return {1, 2}
    elif do == "allocate":
        block = b"x" * (value * 2**20)
        del block
    elif do == "eval":
        return eval(value)
    return {"event": event, "instance": context.log_stream_name}
"""


def zip_of(files: dict[str, str | bytes], executable: tuple[str, ...] = ()) -> bytes:
    """A zip with these files; those named in `executable` carry mode 755."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o755 if name in executable else 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def toy(source: str = HANDLER, **options: Any) -> Function:
    """A function of one file, for the Python that runs the tests."""
    code = Archive.of(zip_of({"toy.py": source}))
    return Function(**{"name": "toy", "code": code, "runtime": own().runtime, "handler": "toy.handler", **options})


def run(host: LambdaHost, function: Function, do: str | None = None, value: Any = None) -> Result:
    return host.invoke(function, json.dumps({"do": do, "value": value}).encode())


def error_of(result: Result) -> tuple[str, str]:
    """Type and message of a failed invocation, without the request's id."""
    assert result.function_error == "Unhandled", result.payload
    payload = json.loads(result.payload)
    return payload["errorType"], payload["errorMessage"].replace(result.request_id, "<id>")
