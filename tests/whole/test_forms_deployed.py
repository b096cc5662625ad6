"""The forms of a request against the REST API as deployed, and pictures that go through S3."""

import base64
import gzip
import io
import json
import urllib.error
import urllib.request
from typing import Any

import numpy as np
import pytest
from PIL import Image
from urllib3.filepost import encode_multipart_formdata

from layers.pythons import own
from localaws.deploy import project
from localaws.deploy.deployer import PROJECT, Deployer
from tests.support.clients import clients_of
from tests.support.local_cloud import skipped_without_an_index
from tests.support.pages import ROOT
from tests.support.paths import SEVEN as SEVEN_FILE

SEVEN = SEVEN_FILE.read_bytes()
JSON = json.dumps({"image": base64.b64encode(SEVEN).decode()}).encode()
FORM, FORM_TYPE = encode_multipart_formdata({"image": ("seven.png", SEVEN, "image/png"), "top_k": "1"})
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def deployed(cloud, tmp_path_factory):
    source = project.copy(PROJECT, tmp_path_factory.mktemp("project"))
    built = ROOT / "build" / "layers"
    if built.is_dir():
        (source / "build").mkdir()
        (source / "build" / "layers").symlink_to(built)
    with skipped_without_an_index():
        return Deployer(cloud, own(), source, say=lambda line: None).deploy()


@pytest.fixture(scope="module")
def bucket(cloud, deployed) -> str:
    with clients_of(cloud) as clients:
        (one,) = clients("s3").list_buckets()["Buckets"]
        return str(one["Name"])


@pytest.fixture(scope="module")
def send(deployed):
    def send(path: str, body: bytes | dict[str, Any] | None = None, method: str = "POST", **headers: str):
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(body, dict):
            sent["Content-Type"] = "application/json"
        return _answer(urllib.request.Request(deployed.url + path, data, sent, method=method))

    return send


def _answer(request: urllib.request.Request) -> tuple[int, Any]:
    request.remove_header("Accept")
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            content = response.read()
            return response.status, json.loads(content) if content else None
    except urllib.error.HTTPError as error:
        content = error.read()
        return error.code, content.decode() if content.startswith(b"<") else json.loads(content)


def put(form: dict[str, Any], data: bytes, **instead: str) -> tuple[int, Any]:
    """Send a picture with the signed form, as a page does."""
    body, kind = encode_multipart_formdata({**form["fields"], **instead, "file": ("picture", data)})
    return _answer(urllib.request.Request(form["url"], body, {"Content-Type": kind}))


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("predict", JSON, {"Content_Type": "application/json"}),
        ("predict", gzip.compress(JSON), {"Content_Type": "application/json", "Content_Encoding": "gzip"}),
        ("predict", SEVEN, {"Content_Type": ""}),
        ("predict", FORM, {"Content_Type": FORM_TYPE}),
        ("predict/image", FORM, {"Content_Type": FORM_TYPE}),
        ("predict/image", SEVEN, {"Content_Type": ""}),
        ("predict/image", SEVEN, {"Content_Type": "application/x-www-form-urlencoded"}),
        ("predict/image", SEVEN, {"Content_Type": "image/pjpeg"}),
        ("predict/image", gzip.compress(SEVEN), {"Content_Type": "image/png", "Content_Encoding": "gzip"}),
    ],
)
def test_every_form_arrives_as_the_bytes_that_were_sent(send, path, body, headers):
    """Without an Accept header too, for which Chalice refuses binary answers."""
    status, answer = send(path, body, **headers)
    assert (status, answer["predictions"][0]["label"]) == (200, "7")


def test_head_has_no_body(send):
    assert send("health", method="HEAD") == (200, None)


def test_the_paths_of_other_protocols(send):
    assert send("v2/health/ready", method="GET") == (200, {"ready": True})
    status, answer = send("v1/models/digits:predict", {"instances": [{"b64": base64.b64encode(SEVEN).decode()}]})
    assert (status, answer["predictions"][0]["classes"][0]) == (200, "7")


class TestUploads:
    def test_a_photo_of_12_megabytes(self, send, bucket):
        noise = np.random.default_rng(7).integers(0, 256, (3300, 4400, 3), np.uint8)
        noise[400:2200, 800:2600] = np.asarray(Image.open(io.BytesIO(SEVEN)).convert("RGB").resize((1800, 1800)))
        with io.BytesIO() as file:
            Image.fromarray(noise).save(file, "JPEG", quality=97)
            photo = file.getvalue()
        assert len(photo) > 12 * MEGABYTE
        status, upload = send("uploads", {"bytes": len(photo), "content_type": "image/jpeg"})
        assert (status, upload["max_bytes"], upload["expires_in_s"]) == (201, len(photo), 300)
        assert upload["image"].startswith(f"s3://{bucket}/uploads/") and len(upload["image"]) > len(bucket) + 40
        assert put(upload["upload"], photo) == (204, None)
        status, answer = send("predict", {"image": upload["image"], "top_k": 1})
        assert status == 200 and len(answer["predictions"]) == 1
        status, answer = send("predict", {"instances": [{"b64": upload["image"]}]})
        assert status == 200

    @pytest.mark.parametrize(("data", "status"), [(b"%PDF-1.7", 415), (SEVEN[:60], 422), (b"x", 415)])
    def test_something_else_is_refused_when_it_is_read(self, send, data, status):
        upload = send("uploads", {})[1]
        assert put(upload["upload"], data) == (204, None)
        assert send("predict", {"image": upload["image"]})[0] == status

    def test_what_the_form_does_not_allow(self, send, bucket):
        form = send("uploads", {"bytes": 100})[1]["upload"]
        for data, instead, code in (
            (bytes(101), {}, "EntityTooLarge"),
            (b"", {}, "EntityTooSmall"),
            (SEVEN[:99], {"key": "incoming/x.png"}, "AccessDenied"),
            (SEVEN[:99], {"Content-Type": "text/html"}, "AccessDenied"),
            (SEVEN[:99], {"acl": "public-read"}, "AccessDenied"),
            (SEVEN[:99], {"x-amz-signature": "0" * 64}, "SignatureDoesNotMatch"),
        ):
            status, answer = put(form, data, **instead)
            assert status in (400, 403) and f"<Code>{code}</Code>" in answer, (instead, answer)

    def test_more_than_is_read(self, send, bucket, cloud):
        with clients_of(cloud) as clients:
            clients("s3").put_object(Bucket=bucket, Key="uploads/large", Body=bytes(33 * 1024 * 1024))
        status, answer = send("predict", {"image": f"s3://{bucket}/uploads/large"})
        assert status == 413 and answer["Message"].startswith("the object has 34603008 bytes")
        assert send("uploads", {"bytes": 40_000_000})[0] == 413

    @pytest.mark.parametrize(
        ("url", "status"),
        [
            ("s3://{bucket}/uploads/nobody", 404),
            ("s3://{bucket}/incoming/x.png", 400),
            ("s3://{bucket}/uploads/", 400),
            ("s3://{bucket}", 400),
            ("s3://somebody-elses/uploads/x", 400),
            ("s3://{bucket}-2/uploads/x", 400),
            ("s3://", 400),
        ],
    )
    def test_other_urls(self, send, bucket, url, status):
        assert send("predict", {"image": url.format(bucket=bucket)})[0] == status

    def test_without_the_right_to_read(self, send, bucket, cloud):
        """The status is 503, for the installation is at fault; nothing is said of the object."""
        role = "slimception-dev-api_handler"
        with clients_of(cloud) as clients:
            iam = clients("iam")
            role = next(r["RoleName"] for r in iam.list_roles()["Roles"] if r["RoleName"].endswith("api_handler"))
            (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
            before = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            less = [one for one in before["Statement"] if "s3:GetObject" not in one["Action"]]
            iam.put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**before, "Statement": less})
            )
            try:
                status, answer = send("predict", {"image": f"s3://{bucket}/uploads/large"})
                assert (status, answer["Code"]) == (503, "ServiceUnavailableError")
                assert bucket not in json.dumps(answer)
            finally:
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(before))

    def test_the_bucket_takes_uploads_of_pages_and_forgets_them(self, cloud, bucket):
        with clients_of(cloud) as clients:
            s3 = clients("s3")
            (rule,) = s3.get_bucket_cors(Bucket=bucket)["CORSRules"]
            assert (rule["AllowedMethods"], rule["AllowedOrigins"]) == (["POST"], ["*"])
            rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
            (days,) = [one["Expiration"]["Days"] for one in rules if one.get("ID") == "uploads"]
            assert days == 1
