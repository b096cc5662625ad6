"""`POST /uploads` and pictures that lie in S3, over fakes; `tests/whole/test_forms_deployed.py` has the true ones."""

import base64
import json
from typing import Any

import pytest

from chalicelib.api.uploads import Uploads
from chalicelib.api.views import Api
from chalicelib.batch.wiring import BatchServices
from chalicelib.config import Settings
from chalicelib.errors import ObjectForbidden, StorageError
from chalicelib.inference.store import ModelStore
from chalicelib.telemetry import cold_start
from tests.support.buckets import ACCOUNT
from tests.support.fakes import FakeObjects
from tests.support.pictures import BLUE, RED
from tests.support.requests import FakeRequest, assert_is_error, json_request

pytestmark = pytest.mark.usefixtures("parsed_answers")
BUCKET = f"slimception-dev-{ACCOUNT}-eu-west-1"
ARN = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:slimception-dev"
MOST = 1000


class FakeSigner:
    """boto3's method of that name; it gives back what it is asked to sign."""

    def generate_presigned_post(self, bucket: str, key: str, **asked: Any) -> dict[str, Any]:
        return {
            "url": f"https://{bucket}.s3",
            "fields": {"key": key, **asked.pop("Fields"), "asked": json.dumps(asked)},
        }


class FakeServices(BatchServices):
    objects, presigning = FakeObjects(), FakeSigner()  # type: ignore[assignment]


@pytest.fixture
def services(models_dir) -> FakeServices:
    settings = Settings(model_dirs=(models_dir,), in_lambda=True, batch_prefix="slimception-dev", max_object_bytes=MOST)
    made = FakeServices(settings, ModelStore(settings))
    made.function_arn, made.objects, made.settings = ARN, FakeObjects(), settings
    return made


@pytest.fixture
def api(services) -> Api:
    return Api(services.settings, ModelStore(services.settings, cold_start), services)


def start(api: Api, fields: Any = None) -> tuple[int, Any]:
    response = api.start_upload(FakeRequest() if fields is None else json_request(fields))
    return response.status_code, response.body


class TestStart:
    def test_what_is_signed(self, api):
        status, body = start(api, {"bytes": 700, "content_type": "image/png"})
        assert status == 201 and body.pop("request_id")
        fields = body["upload"]["fields"]
        asked = json.loads(fields["asked"])
        assert asked == {
            "Conditions": [{"Content-Type": "image/png"}, ["content-length-range", 1, 700]],
            "ExpiresIn": 300,
        }
        assert (body["max_bytes"], body["expires_in_s"]) == (700, 300)
        assert body["image"] == f"s3://{BUCKET}/{fields['key']}" and fields["key"].startswith("uploads/")
        assert body["upload"]["url"] == f"https://{BUCKET}.s3" and fields["Content-Type"] == "image/png"

    @pytest.mark.parametrize("fields", [None, {}])
    def test_nothing_is_required(self, api, fields):
        status, body = start(api, fields)
        assert (status, body["max_bytes"], body["upload"]["fields"]["Content-Type"]) == (201, MOST, "image/*")

    def test_no_key_comes_twice_or_can_be_guessed(self, api):
        keys = {start(api)[1]["image"].rpartition("/")[2] for _ in range(50)}
        assert len(keys) == 50 and {len(base64.urlsafe_b64decode(key)) for key in keys} == {24}

    @pytest.mark.parametrize(
        ("fields", "status", "says"),
        [
            ({"bytes": MOST + 1}, 413, "an upload of 1001 bytes: at most 1000"),
            ({"bytes": 0}, 400, '"bytes" is 0'),
            ({"bytes": "5"}, 400, '"bytes" is "5"'),
            ({"content_type": "text/html"}, 400, '"content_type" is "text/html"'),
            ({"content_type": "image/"}, 400, '"content_type" is'),
            ({"content_type": "image/png\r\nx: y"}, 400, '"content_type" is'),
            ({"content_type": "image/" + "x" * 200}, 400, '"content_type" is'),
            ({"content_type": "image/ä"}, 400, '"content_type" is'),
            ({"content_type": None}, 400, '"content_type" is null'),
            ({"key": "x"}, 400, 'unknown field "key"'),
            ([], 400, "expected a JSON object"),
        ],
    )
    def test_refusals(self, api, fields, status, says):
        got, body = start(api, fields)
        assert got == status and says in assert_is_error(body, status)

    def test_another_type(self, api):
        response = api.start_upload(FakeRequest(RED, {"content-type": "image/png"}))
        assert "POST /uploads takes application/json" in assert_is_error(response.body, 415)

    @pytest.mark.parametrize("missing", [{"in_lambda": False}, {"batch_prefix": None}])
    def test_without_a_bucket(self, models_dir, missing):
        given = {"in_lambda": True, "batch_prefix": "slimception-dev", **missing}
        settings = Settings(model_dirs=(models_dir,), **given)
        services = FakeServices(settings, ModelStore(settings))
        services.function_arn = ARN
        api = Api(settings, ModelStore(settings, cold_start), services)
        assert "uploads are not available" in assert_is_error(start(api)[1], 404)
        response = api.predict(json_request({"image": f"s3://{BUCKET}/uploads/x"}))
        assert "images in S3 are read only by a deployed stage" in assert_is_error(response.body, 400)


class TestReading:
    def test_it_is_classified(self, api, services):
        services.objects.kept = {"uploads/a": RED, "uploads/b": BLUE}
        response = api.predict(json_request({"image": f"s3://{BUCKET}/uploads/a", "top_k": 1}))
        assert [one["label"] for one in response.body["predictions"]] == ["red"]
        both = [{"b64": f"s3://{BUCKET}/uploads/{name}"} for name in "ab"]
        answers = api.predict(json_request({"instances": both, "top_k": 1})).body["predictions"]
        assert [answer[0]["label"] for answer in answers] == ["red", "blue"]

    @pytest.mark.parametrize(
        "url",
        [
            "s3://other/uploads/a",
            f"s3://{BUCKET}-2/uploads/a",
            f"s3://{BUCKET[:-1]}/uploads/a",
            f"s3://{BUCKET}/incoming/a",
            f"s3://{BUCKET}/uploads/",
            f"s3://{BUCKET}/uploads",
            f"s3://{BUCKET}/Uploads/a",
            f"s3://{BUCKET}//uploads/a",
            f"s3://{BUCKET}",
            f"s3://{BUCKET.upper()}/uploads/a",
            "s3://",
            "s3:///uploads/a",
        ],
    )
    def test_nothing_else_is_asked_for(self, api, services, url):
        message = assert_is_error(api.predict(json_request({"image": url})).body, 400)
        assert ACCOUNT not in message.replace(url, "") and services.objects.reads == []

    def test_a_missing_one(self, api):
        assert_is_error(api.predict(json_request({"image": f"s3://{BUCKET}/uploads/a"})).body, 404)

    def test_all_of_a_request_share_the_bytes(self, api, services):
        services.objects.kept = {"uploads/a": RED + bytes(600)}
        url = f"s3://{BUCKET}/uploads/a"
        assert api.predict(json_request({"image": url})).status_code == 200
        message = assert_is_error(api.predict(json_request({"instances": [{"b64": url}] * 2})).body, 413)
        assert message.startswith("the object has 680 bytes: at most 320 are read")

    @pytest.mark.parametrize("error", [StorageError("s3://secret: SlowDown"), ObjectForbidden("s3://secret: denied")])
    def test_s3_that_refuses(self, api, services, error):
        services.objects.failures = {"uploads/a": error}
        body = api.predict(json_request({"image": f"s3://{BUCKET}/uploads/a"})).body
        assert "secret" not in assert_is_error(body, 503)

    def test_fields_are_checked_before_s3_is_asked(self, api, services):
        api.predict(json_request({"image": f"s3://{BUCKET}/uploads/a", "top_k": 0}))
        assert services.objects.reads == []


def test_the_true_client_signs_for_the_region(aws, monkeypatch):
    """No call is made: the form holds what S3 needs to check it."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    settings = Settings(in_lambda=True, batch_prefix="slimception-dev")
    services = BatchServices(settings, ModelStore(settings))
    services.function_arn = ARN
    upload = Uploads(settings, services).start(b"")["upload"]
    assert upload["url"] == f"https://{BUCKET}.s3.eu-west-1.amazonaws.com/"
    assert upload["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    policy = json.loads(base64.b64decode(upload["fields"]["policy"]))
    assert {"bucket": BUCKET} in policy["conditions"]
    assert ["content-length-range", 1, settings.max_object_bytes] in policy["conditions"]
