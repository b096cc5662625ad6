"""A batch of 1,000 with every hostile and odd picture of the sample in it: it completes, with one result for each."""

import json
from collections import Counter

from chalicelib.aws.s3 import Objects
from chalicelib.batch.record import COMPLETE
from tests.served.conftest import BUCKET
from tests.support.batch_functions import BatchFunctions
from tests.support.fakes import FakeQueue, FakeTable
from tests.support.hostile import thousand


def test_it_completes_with_one_result_for_each(impatient_client, s3_on_loopback, digits, test_data, capsys):
    """S3 speaks HTTP; queues and table are the fakes, over which the same tests run as over moto's."""
    server, url = s3_on_loopback
    pictures = thousand(test_data)
    server.most_keys = 1000
    server.kept |= {f"in/{key}": data for key, data in pictures.items()}
    queues = {name: FakeQueue(name) for name in ("listings", "pictures")}
    functions = BatchFunctions(
        Objects(impatient_client("s3", url, 20)), FakeTable(), queues, digits, lambda name: queues[name].receive(60)
    )
    status = functions.service.start(f"s3://{BUCKET}/in/", "digits", 1)
    functions.run()
    capsys.readouterr()
    batch = functions.table.get(status["id"])
    assert (batch.state, batch.total, batch.done) == (COMPLETE, len(pictures), len(pictures))
    lines = functions.objects.read(BUCKET, f"{batch.output_prefix}results.jsonl", 10**8).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["key"] for row in rows] == sorted((f"in/{key}" for key in pictures), key=str.encode)
    assert all(("error" in row) != bool(row.get("predictions")) for row in rows)
    answered = {row["key"].removeprefix("in/") for row in rows if "predictions" in row}
    assert answered >= {key for key in pictures if key.startswith("ordinary")}
    codes = Counter(row["error"]["Code"] for row in rows if "error" in row)
    assert set(codes) <= {
        "UnsupportedMediaTypeError", "UnprocessableEntityError", "PayloadTooLargeError", "InternalServerError",
    }, codes  # fmt: skip
