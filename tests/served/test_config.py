from pathlib import Path

import pytest

from chalicelib.config import (
    EMBEDDED_MODELS,
    PROJECT_DIR,
    AwsAccess,
    Settings,
    aws_access,
    default_threads,
    model_name_of,
)
from chalicelib.errors import ConfigError


class TestFromEnv:
    def test_an_empty_environment_gives_the_defaults(self):
        assert Settings.from_env({}) == Settings(num_threads=default_threads(None))

    def test_every_variable_is_read(self):
        env = {
            "MODEL_DIR": "/srv/models",
            "MODEL_NAME": "flowers",
            "ENGINE": "litert",
            "NUM_THREADS": "3",
            "MAX_BODY_BYTES": "1000",
            "WARM_IN_INIT": "true",
            "AWS_LAMBDA_FUNCTION_NAME": "slimception",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "2048",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start",
        }
        assert Settings.from_env(env) == Settings(
            model_dirs=(Path("/srv/models"), PROJECT_DIR / "models", Path("/opt/models"), EMBEDDED_MODELS),
            model_name="flowers",
            engine="litert",
            num_threads=3,
            max_body_bytes=1000,
            in_lambda=True,
            function_name="slimception",
            warm_in_init=True,
            is_restored=True,
            memory_mb=2048,
        )

    @pytest.mark.parametrize(
        "name", ["MODEL_DIR", "MODEL_NAME", "ENGINE", "NUM_THREADS", "MAX_BODY_BYTES", "WARM_IN_INIT"]
    )
    def test_an_empty_value_counts_as_unset(self, name):
        assert Settings.from_env({name: ""}) == Settings.from_env({})

    @pytest.mark.parametrize("value", ["0", "-1", "two", "1.5", " 2", "٣", "1e3", "0x10"])
    @pytest.mark.parametrize("name", ["NUM_THREADS", "MAX_BODY_BYTES", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    def test_what_is_no_positive_number_is_refused_by_name(self, name, value):
        with pytest.raises(ConfigError) as caught:
            Settings.from_env({name: value})
        assert str(caught.value) == f"{name}={value!r}: expected a whole number of at least 1"

    @pytest.mark.parametrize(
        ("name", "value", "choices"),
        [
            ("ENGINE", "tensorflow", "auto, litert, tflite-runtime"),
            ("ENGINE", "LiteRT", "auto, litert, tflite-runtime"),
            ("WARM_IN_INIT", "yes", "false, true"),
            ("FRONT", "alb", "rest, http, url"),
        ],
    )
    def test_an_unknown_choice_is_refused_with_the_choices(self, name, value, choices):
        with pytest.raises(ConfigError) as caught:
            Settings.from_env({name: value})
        assert str(caught.value) == f"{name}={value!r}: expected one of {choices}"

    def test_settings_cannot_be_changed(self):
        with pytest.raises(AttributeError):
            Settings().num_threads = 2  # type: ignore[misc]


class TestDefaultThreads:
    def test_outside_lambda_every_processor_counts(self):
        assert default_threads(None) >= 1

    @pytest.mark.parametrize("memory_mb", [128, 1024, 1769])
    def test_up_to_one_vcpu_of_memory_it_is_one(self, memory_mb):
        assert default_threads(memory_mb) == 1

    @pytest.mark.parametrize(("memory_mb", "vcpus"), [(1770, 2), (3538, 2), (3539, 3), (10240, 6)])
    def test_memory_buys_vcpus_but_no_more_than_there_are(self, memory_mb, vcpus):
        assert default_threads(memory_mb) == min(vcpus, default_threads(None))


class TestCorsAllowOrigin:
    @pytest.mark.parametrize("value", ["*", "https://example.org", "http://127.0.0.1:3000", "https://a.b.c:8443"])
    def test_any_origin_or_one(self, value):
        assert Settings.from_env({"CORS_ALLOW_ORIGIN": value}).cors_allow_origin == value

    def test_any_is_the_default(self):
        assert Settings.from_env({}).cors_allow_origin == Settings().cors_allow_origin == "*"

    @pytest.mark.parametrize(
        "value",
        ["example.org", "https://", "https://a/", "https://a/b", "https://*", "https://a,https://b", "ftp://a", "null",
         "https://a\r\nX: y", "https://me@a", " "],
    )  # fmt: skip
    def test_anything_else_is_refused(self, value):
        with pytest.raises(ConfigError) as caught:
            Settings.from_env({"CORS_ALLOW_ORIGIN": value})
        assert str(caught.value).startswith(f"CORS_ALLOW_ORIGIN={value!r}: expected * or one origin")


class TestCustomers:
    @pytest.mark.parametrize(
        ("value", "want"), [("", ()), ("42", ("42",)), ("42, shop.example ,a_b-c,", ("42", "shop.example", "a_b-c"))]
    )
    def test_names_with_commas_between(self, value, want):
        assert Settings.from_env({"CUSTOMERS": value}).customers == want

    @pytest.mark.parametrize("value", ["a b", "42;43", "ü", "x" * 65])
    def test_what_is_no_name_is_refused(self, value):
        with pytest.raises(ConfigError, match=r"^CUSTOMERS="):
            Settings.from_env({"CUSTOMERS": value})


class TestModelUri:
    @pytest.mark.parametrize("end", ["", "/"])
    @pytest.mark.parametrize(
        "uri", ["s3://my-bucket/digits", "s3://my.bucket.2/models/2026-11-26/v=1@x+y/Inception_v3.b"]
    )
    def test_it_ends_with_a_slash_and_names_the_default_model(self, uri, end):
        settings = Settings.from_env({"MODEL_URI": uri + end})
        assert settings.model_uri == f"{uri}/"
        assert settings.model_name == model_name_of(uri + end) == uri.rpartition("/")[2]

    def test_another_default_stays(self):
        uri = {"MODEL_URI": "s3://bucket/big"}
        assert Settings.from_env({**uri, "MODEL_NAME": "digits"}).model_name == "digits"
        assert Settings.from_env({**uri, "AB_TEST": "digits,big,0.1"}).model_name == "digits"
        assert Settings.from_env({"MODEL_URI": ""}).model_uri is None

    @pytest.mark.parametrize(
        "uri",
        [
            "digits",
            "s3://bucket",
            "s3://bucket/",
            "s3://Bucket/x",
            "s3://b/x",
            "https://bucket.s3.amazonaws.com/x",
            "s3://bucket/../x",
            "s3://bucket/x/..",
            "s3://bucket/.hidden",
            "s3://bucket//x",
            "s3://bucket/x//",
            "s3://bucket/*",
            "s3://bucket/${aws:username}/x",
            "s3://bucket/a?b",
            "s3://bucket/a b",
            "s3://bucket/x\n",
            "s3://bucket/\u00e4",
            "s3://bucket/" + "x" * 101,
            "s3://bucket" + "/x" * 10,
        ],
    )
    def test_what_is_no_bundle_is_refused_by_the_variables_name(self, uri):
        with pytest.raises(ConfigError, match=r"MODEL_URI=.*expected s3://bucket/prefix/name/"):
            Settings.from_env({"MODEL_URI": uri})


class TestAwsAccess:
    ENV = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}  # noqa: RUF012

    def test_as_lambda_sets_it(self):
        env = {**self.ENV, "AWS_SESSION_TOKEN": "token", "AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}
        assert aws_access(env) == AwsAccess("id", "secret", "token", "eu-west-1", "http://127.0.0.1:4566")
        assert aws_access(self.ENV) == AwsAccess("id", "secret", None, "eu-west-1")

    @pytest.mark.parametrize("name", ENV)
    def test_only_a_whole_one_counts(self, name):
        assert aws_access({**self.ENV, name: ""}) is None
