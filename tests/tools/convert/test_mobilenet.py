"""A published model, converted from its .tflite, on real pictures through the API."""

import base64
import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from chalice.test import Client

from tests.tools.convert.conftest import Run

JSON = {"Content-Type": "application/json"}


def top1(client: Client, picture: Path) -> int:
    body = json.dumps({"image": base64.b64encode(picture.read_bytes()).decode(), "top_k": 1}).encode()
    response = client.http.post("/predict", headers=JSON, body=body)
    assert response.status_code == 200, response.body
    return int(response.json_body["predictions"][0]["index"])


@pytest.mark.parametrize(
    ("labels", "offset"), [("labels.txt", 0), (None, 1)], ids=["1,000 labels", "1,001 from the metadata"]
)
def test_88_of_100_pictures_are_named_rightly(
    labels: str | None,
    offset: int,
    run: Callable[..., Run],
    serve: Callable[..., Client],
    mobilenet: Path,
    imagenet_sample: Path,
    tmp_path: Path,
) -> None:
    given = ("--labels", mobilenet / labels) if labels else ()
    result = run(mobilenet / "model.tflite", "--name", "mobilenet", "--out", tmp_path, *given)
    assert result.code == 0, result.err
    client = serve(tmp_path)
    with open(imagenet_sample / "classes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 100
    right = sum(top1(client, imagenet_sample / row["file"]) == int(row["imagenet_class"]) + offset for row in rows)
    print(f"top-1: {right} of {len(rows)}")
    assert right >= 88
