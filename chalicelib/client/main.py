"""Command line: `python -m chalicelib.client URL PICTURE...` asks a served API about pictures.

URL is the address at which the page is: http://127.0.0.1:8000, or that of a deployed stage. A PICTURE is a file, or a
folder, of which all pictures are taken. Large pictures are scaled down first, if the model averages pixels; if every
pixel counts, they are sent as they are, above 4.4 MB through the stage's bucket.

Exit code: 0 all are answered, 1 some are not, 2 error, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from chalicelib.client import output
from chalicelib.client.output import Failure, Outcome
from chalicelib.client.pictures import MAX_RAW_BYTES, OVERSAMPLING, Picture, found, prepared
from chalicelib.client.server import Needs, Server
from chalicelib.client.transport import RequestFailed, Transport
from chalicelib.errors import InvalidRequest


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask about all pictures; an error that is not one picture's is one line on standard error."""
    options = parser().parse_args(arguments)
    try:
        transport = Transport(options.tries)
        server = Server(options.url, transport, _headers(options))
        pictures = found(options.pictures)
        needs = server.needs(options.model, OVERSAMPLING)
        try:
            return _run(server, pictures, needs, options)
        finally:
            transport.stop()
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return 130
    except (InvalidRequest, RequestFailed, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(server: Server, pictures: list[Picture], needs: Needs, options: argparse.Namespace) -> int:
    query = {"model": options.model, "top_k": options.top_k and str(options.top_k)}
    asked = {name: value for name, value in query.items() if value}
    failed = 0

    def outcomes() -> Iterator[Outcome]:
        nonlocal failed
        with ThreadPoolExecutor(options.parallel) as pool:
            try:
                for outcome in pool.map(lambda picture: _outcome(server, picture, needs, asked), pictures):
                    failed += outcome.failure is not None
                    yield outcome
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    width = max(len("picture"), *(len(picture.name) for picture in pictures))
    writers = {"json": output.json_lines, "csv": output.csv_lines}
    write = writers.get(options.form) or (lambda them: output.table(them, width, options.top_k or 1))
    for line in write(outcomes()):
        print(line, flush=True)
    return 1 if failed else 0


def _outcome(server: Server, picture: Picture, needs: Needs, query: dict[str, str]) -> Outcome:
    try:
        data, content_type = prepared(picture.path, needs)
        if len(data) > MAX_RAW_BYTES and server.takes_uploads():
            return Outcome(picture.name, server.predict_stored(server.upload(data, content_type), query))
        return Outcome(picture.name, server.predict(data, content_type, query))
    except RequestFailed as error:
        return Outcome(picture.name, failure=Failure(str(error), error.status, error.request_id))
    except (InvalidRequest, OSError) as error:
        return Outcome(picture.name, failure=Failure(str(error)))


def _headers(options: argparse.Namespace) -> dict[str, str]:
    key: str | None = options.api_key
    if key and key.startswith("@"):
        key = Path(key[1:]).read_text(encoding="utf-8").strip()
    headers = {"X-Api-Key": key, "X-Customer-Id": options.customer}
    for name, text in headers.items():
        if text and not (text.isascii() and text.isprintable()):
            raise InvalidRequest(f"the value of {name} has characters that a header cannot hold: expected ASCII")
    return {name: text for name, text in headers.items() if text}


def _at_least_one(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number of at least 1")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        prog="python -m chalicelib.client", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("url", metavar="URL", help="where the API is served, such as http://127.0.0.1:8000")
    made.add_argument("pictures", metavar="PICTURE", nargs="+", help="a file or a folder")
    made.add_argument("--model", help="a model by its name (default: the server's)")
    made.add_argument(
        "--top-k", type=_at_least_one, metavar="N", help="so many labels a picture (default 1 in the table)"
    )
    form = made.add_mutually_exclusive_group()
    form.add_argument("--json", dest="form", action="store_const", const="json", help="JSON Lines: whole answers")
    form.add_argument("--csv", dest="form", action="store_const", const="csv", help="CSV: the best label of each")
    made.add_argument("--api-key", metavar="KEY", help="sent as X-Api-Key; @FILE reads it from a file")
    made.add_argument("--customer", metavar="ID", help="sent as X-Customer-Id: whom the cost is counted for")
    made.add_argument("--parallel", type=_at_least_one, default=4, metavar="N", help="requests at once (default 4)")
    made.add_argument("--tries", type=_at_least_one, default=4, metavar="N", help="tries of a request (default 4)")
    return made
