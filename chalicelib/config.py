"""Settings: read from the environment once, typed and checked. No other module reads the environment."""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args

from chalicelib.errors import ConfigError
from chalicelib.split import Split

Choice = TypeVar("Choice", bound=str)
EngineName = Literal["auto", "litert", "tflite-runtime"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
Front = Literal["rest", "http", "url"]
FRONTS: tuple[Front, ...] = get_args(Front)
BatchAccess = Literal["iam", "open", "off"]
BATCH_ACCESS: tuple[BatchAccess, ...] = get_args(BatchAccess)
MEMORY_MB_PER_VCPU = 1769
"""Lambda gives one vCPU per 1,769 MB of memory (AWS Lambda developer guide, "Configure function memory")."""

PROJECT_DIR = Path(__file__).parent.parent
EMBEDDED_MODELS = Path(__file__).parent / "models"


class Settings(NamedTuple):
    """The settings, with their defaults. A dataclass of so many fields would cost every cold start 2 ms more."""

    model_dirs: tuple[Path, ...] = (PROJECT_DIR / "models", Path("/opt/models"), EMBEDDED_MODELS)
    """The directories that are searched for bundles, in this order."""
    model_name: str | None = None
    """The default model; None means the first bundle found. In an A/B test it is the first of the two."""
    model_uri: str | None = None
    """A bundle in S3, `s3://bucket/prefix/name/`, that is fetched at its first use; None: no model comes from there.
    It is the default model unless MODEL_NAME or AB_TEST names another one."""
    ab_test: Split | None = None
    """Two models that share the requests which do not name a model; None: there is no test."""
    engine: EngineName = "auto"
    """The inference engine; "auto" takes the first that can be imported."""
    num_threads: int = 1
    """Of the interpreter."""
    max_body_bytes: int = 6 * 1024 * 1024
    """Lambda's limit for one invocation, so that `chalice local` refuses the same bodies as Lambda."""
    cors_allow_origin: str = "*"
    """The origin whose pages may call the API from a browser; "*" means any."""
    front: Front = "rest"
    """What stands before the function: "rest", Chalice's REST API; "http", an HTTP API; "url", a function URL. Read
    when the app is deployed and when it runs."""
    customers: tuple[str, ...] = ()
    """Values of the header X-Customer-Id: the cost of each of these customers is a separate metric."""
    in_lambda: bool = False
    s3_endpoint: str | None = None
    """S3's address, where it is not AWS's own; boto3 reads the same variable."""
    function_name: str | None = None
    """Lambda's name of this function; None outside Lambda, where nothing reads metrics."""
    warm_in_init: bool = False
    """Load the default model in Lambda's INIT phase. It is for SnapStart: the snapshot then holds a warm model."""
    is_restored: bool = False
    """Whether Lambda starts this function's processes from a snapshot (SnapStart)."""
    memory_mb: int | None = None
    """The function's memory size; None outside Lambda."""
    batch_prefix: str | None = None
    """The beginning of the names of the batch's queues and table; None: this stage has no batches."""
    batches: BatchAccess = "iam"
    """Who may start batches over HTTP and see them: "iam", callers whom IAM allows to call the route; "open", anybody;
    "off", nobody. Read when the app is deployed and when it runs."""
    batch_buckets: tuple[str, ...] = ()
    """Buckets of this account that batches and workflows may use in addition to the stage's own."""
    max_object_bytes: int = 32 * 1024 * 1024
    """Larger S3 objects are refused unread. One invocation of the worker holds as many as its `BatchSize`."""
    canary_minutes: int | None = None
    """Minutes from one check by the canary to the next; None: no canary. Read only when the app is deployed."""
    canary_url: str | None = None
    """URL of the API that the canary calls; None: the canary's own process classifies the picture."""

    @property
    def takes_batches(self) -> bool:
        """True only in Lambda: `chalice local` has no functions that read the queues."""
        return self.in_lambda and self.batch_prefix is not None and self.batches != "off"

    @property
    def has_bucket(self) -> bool:
        """Whether this is a deployed stage, which has a bucket for uploads."""
        return self.in_lambda and self.batch_prefix is not None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the settings; raises ConfigError, which names the variable whose value cannot be used."""
        default = cls()
        memory_mb = _positive_int(env, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        first = env.get("MODEL_DIR")
        ab_test = _ab_test(env, "AB_TEST")
        model_uri = _model_uri(env, "MODEL_URI")
        return cls(
            model_dirs=((Path(first),) if first else ()) + default.model_dirs,
            model_name=_default_model(env, "MODEL_NAME", ab_test) or (model_name_of(model_uri) if model_uri else None),
            model_uri=model_uri,
            ab_test=ab_test,
            engine=_choice(env, "ENGINE", ENGINES),
            num_threads=_positive_int(env, "NUM_THREADS") or default_threads(memory_mb),
            max_body_bytes=_positive_int(env, "MAX_BODY_BYTES") or default.max_body_bytes,
            cors_allow_origin=_origin(env, "CORS_ALLOW_ORIGIN"),
            front=_choice(env, "FRONT", FRONTS),
            customers=_names(env, "CUSTOMERS"),
            function_name=env.get("AWS_LAMBDA_FUNCTION_NAME"),
            in_lambda="AWS_LAMBDA_FUNCTION_NAME" in env,
            s3_endpoint=env.get("AWS_ENDPOINT_URL_S3") or env.get("AWS_ENDPOINT_URL") or None,
            warm_in_init=_choice(env, "WARM_IN_INIT", ("false", "true")) == "true",
            is_restored=env.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
            memory_mb=memory_mb,
            batch_prefix=env.get("BATCH_PREFIX") or None,
            batches=_choice(env, "BATCHES", BATCH_ACCESS),
            batch_buckets=_names(env, "BATCH_BUCKETS"),
            max_object_bytes=_positive_int(env, "MAX_OBJECT_BYTES") or default.max_object_bytes,
            canary_minutes=_positive_int(env, "CANARY_MINUTES"),
            canary_url=env.get("CANARY_URL") or None,
        )


class AwsAccess(NamedTuple):
    """With what a call of AWS is signed, and where it goes."""

    key_id: str
    secret_key: str
    session_token: str | None
    region: str
    endpoint: str | None = None
    """In place of AWS's own, for all services, such as `http://127.0.0.1:4566`."""


def aws_access(env: Mapping[str, str] = os.environ) -> AwsAccess | None:
    """Keys and region, if the variables that Lambda sets have them; None: only boto3 knows where they are.

    With SnapStart, for example, Lambda hands out keys at an address (AWS_CONTAINER_CREDENTIALS_FULL_URI).
    """
    key_id, secret_key = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION")
    if not key_id or not secret_key or not region:
        return None
    return AwsAccess(key_id, secret_key, env.get("AWS_SESSION_TOKEN"), region, aws_endpoint(env))


def aws_endpoint(env: Mapping[str, str] = os.environ) -> str | None:
    """AWS_ENDPOINT_URL, which names what stands in for AWS; None: AWS itself."""
    return env.get("AWS_ENDPOINT_URL") or None


def model_name_of(model_uri: str) -> str:
    """The last part of MODEL_URI. The folder's name is the model's name, in S3 as on a disk."""
    return model_uri.rstrip("/").rpartition("/")[2]


def default_threads(memory_mb: int | None) -> int:
    """The number of the machine's vCPUs; in Lambda at most as many as the memory size pays for, rounded up."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cpus if memory_mb is None else min(cpus, math.ceil(memory_mb / MEMORY_MB_PER_VCPU))


def _positive_int(env: Mapping[str, str], name: str) -> int | None:
    text = env.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ConfigError(f"{name}={text!r}: expected a whole number of at least 1")
    return int(text)


def _names(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    names = [part.strip() for part in env.get(name, "").split(",") if part.strip()]
    for one in names:
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,64}", one):
            raise ConfigError(f"{name}={env[name]!r}: expected names of letters, digits, _ . - with commas between")
    return tuple(names)


def _ab_test(env: Mapping[str, str], name: str) -> Split | None:
    text = env.get(name, "")
    if not text:
        return None
    first, second, share, label = ([part.strip() for part in text.split(",")] + 3 * [""])[:4]
    is_share = re.fullmatch(r"0?\.[0-9]+|0|1|1\.0+", share)
    if not (first and second and is_share and text.isprintable()) or first == second or text.count(",") > 3:
        raise ConfigError(
            f"{name}={text!r}: expected two models and the second one's share, 0 to 1, with commas between, "
            "such as digits,digits-f16,0.2, and perhaps a name of the test after a third"
        )
    return Split(label or f"{first}-vs-{second}", first, second, float(share))


def _model_uri(env: Mapping[str, str], name: str) -> str | None:
    """The URI with a slash at its end. What IAM reads as a pattern in a policy (`*`, `?`, `$`) is not accepted."""
    text = env.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9_][A-Za-z0-9_.=@+-]{0,99}){1,9}/?", text):
        raise ConfigError(
            f"{name}={text!r}: expected s3://bucket/prefix/name/ of a bundle, in letters, digits and _ . = @ + -"
        )
    return text.rstrip("/") + "/"


def _default_model(env: Mapping[str, str], name: str, ab_test: Split | None) -> str | None:
    value = env.get(name) or None
    if ab_test and value not in (None, ab_test.first):
        raise ConfigError(f"{name}={value!r}: expected {ab_test.first!r}, the first model of AB_TEST, or none")
    return ab_test.first if ab_test else value


def _origin(env: Mapping[str, str], name: str) -> str:
    value = env.get(name) or "*"
    scheme, _, host = value.partition("://")
    if value != "*" and (scheme not in ("http", "https") or not host or set(host) & set("/?#@,* \t\r\n")):
        raise ConfigError(f"{name}={value!r}: expected * or one origin, such as https://example.org")
    return value


def _choice(env: Mapping[str, str], name: str, choices: tuple[Choice, ...]) -> Choice:
    value = env.get(name) or choices[0]
    for choice in choices:
        if value == choice:
            return choice
    raise ConfigError(f"{name}={value!r}: expected one of {', '.join(choices)}")
