"""The served contract against the running app: Schemathesis makes requests of it and judges each answer.

`SLIMCEPTION_EXAMPLES=1000 pytest tests/whole/test_contract.py -s` makes more of them and prints how many there were.
"""

import base64
import collections
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from chalicelib.api.openapi import EXAMPLE_IMAGE, describe
from chalicelib.config import EMBEDDED_MODELS, Settings
from chalicelib.inference.formats import BINARY_TYPES
from chalicelib.inference.store import ModelStore
from tests.support.local_server import Server, serving
from tests.support.pictures import RED, scan_bomb

schemathesis = pytest.importorskip("schemathesis", reason="Schemathesis is not installed")
EXAMPLES = int(os.environ.get("SLIMCEPTION_EXAMPLES", "150"))
"""How many requests are made up for each operation; those of the "coverage" phase come on top."""
REFUSED_FOR_ITS_CONTENT = ["413", "415", "422"]
"""A schema cannot say what bytes are an image: what fits it may still get these."""
REFUSED_FOR_THE_WHOLE = {
    "/predict": "a query that says something else than the body",
    "/predict/image": "the same, of a form",
    "/v2/models/{model}/infer": "data that have not the tensor's shape",
}
"""Nor what two fields must have in common."""
SEVEN = base64.b64decode(EXAMPLE_IMAGE)
CONFIG = {
    "generation": {"allow-x00": True, "codec": "utf-8"},
    "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", *REFUSED_FOR_ITS_CONTENT]}},
    "operations": [
        {
            "include-path": path,
            "checks": {"positive_data_acceptance": {"expected-statuses": ["2xx", "400", *REFUSED_FOR_ITS_CONTENT]}},
        }
        for path in REFUSED_FOR_THE_WHOLE
    ],
    # Python's server, which `chalice local` is, answers methods that it has never heard of with 501 by itself.
    "phases": {"coverage": {"unexpected-methods": ["DELETE", "GET", "PATCH", "POST", "PUT"]}},
}
for media_type in BINARY_TYPES:
    pictures = st.sampled_from([SEVEN, RED, SEVEN[:60], scan_bomb(200), b"%PDF-1.7"]) | st.binary(
        min_size=1, max_size=200
    )
    schemathesis.openapi.media_type(media_type, pictures)

statuses: collections.Counter[str] = collections.Counter()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("contract") / "output.txt") as started:
        yield started
    print(f"\n{statuses.total()} requests: {dict(sorted(statuses.items()))}")


def described() -> dict[str, Any]:
    """What the server says too, as the first test checks; Schemathesis needs it before the server runs."""
    return describe(ModelStore(Settings(model_dirs=(EMBEDDED_MODELS,))).cards())


schema = schemathesis.openapi.from_dict(described(), config=schemathesis.Config.from_dict(CONFIG))


def test_the_served_contract_is_valid_openapi(server: Server) -> None:
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    status, served = server.send("GET", "/openapi.json")
    assert (status, served) == (200, json.loads(json.dumps(described())))
    validator.OpenAPIV31SpecValidator(served).validate()


@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_app_keeps_its_contract(case: Any, server: Server) -> None:
    response = case.call(base_url=server.url)
    statuses[f"{case.method} {case.path} {response.status_code}"] += 1
    case.validate_response(response)
