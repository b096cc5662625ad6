"""The environment of a function's process: what Lambda sets, then what the function's configuration sets."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from layers.sandbox.view import OPT
from localaws.host.function import Function

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "localaws", "AWS_SECRET_ACCESS_KEY": "localaws", "AWS_SESSION_TOKEN": "localaws"}
"""Not secret: nothing on this machine checks them, but a client signs only with keys."""
CLIENT_KEYS = {
    "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
}
"""The same as boto3 takes them."""
ROLE_KEY = "role."
"""An access key's id that begins so has the rights of the role whose name follows."""


_PRELOAD = "LD_PRELOAD"


@dataclass(frozen=True)
class Places:
    """Where a function's process finds its files."""

    task: Path
    opt: Path
    packages: Path
    """Lambda's runtime client and boto3."""
    temporary: Path | None = None
    """In place of /tmp; None if the process has one like Lambda's, and all else where Lambda has it."""


def function_environment(function: Function, places: Places, runtime_api: str, log_stream: str) -> dict[str, str]:
    """Source: AWS Lambda developer guide, "Defined runtime environment variables".

    PYTHONPATH differs: it gives the process its whole search path (function, layers, runtime client), so that it
    needs no start-up file. Without a sandbox more differ, since nothing is mounted at /opt: MODEL_DIR,
    LD_LIBRARY_PATH and what LD_PRELOAD takes from layers name the unpacked tree; and TMPDIR is set.
    """
    task, opt, packages = places.task, places.opt, places.packages
    layer_packages = (opt / "python" / "lib" / function.runtime / "site-packages", opt / "python")
    return {
        **credentials_of(function.role),
        "AWS_DEFAULT_REGION": function.region,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
        "AWS_REGION": function.region,
        "LAMBDA_RUNTIME_DIR": str(packages),
        "LAMBDA_TASK_ROOT": str(task),
        "LANG": "en_US.UTF-8",
        "PYTHONPATH": _joined(task, *layer_packages, packages),
        "TZ": ":UTC",
        "_HANDLER": function.handler,
        **(_lambdas_own() if places.temporary is None else _unpacked(places, places.temporary)),
        **_configured(function.environment, opt),
    }


def credentials_of(role: str) -> dict[str, str]:
    """Those of a role, by its name; without one, those of the account's owner."""
    return {**CREDENTIALS, "AWS_ACCESS_KEY_ID": ROLE_KEY + role} if role else CREDENTIALS


def role_keys(role: str) -> dict[str, str]:
    """Those of a role as boto3 takes them."""
    return {**CLIENT_KEYS, "aws_access_key_id": ROLE_KEY + role}


def _lambdas_own() -> dict[str, str]:
    """As Lambda's Python runtimes have them, seen in their processes."""
    libraries = ("/var/lang/lib", "/lib64", "/usr/lib64", "/var/runtime", "/var/runtime/lib")
    return {
        "LD_LIBRARY_PATH": ":".join([*libraries, "/var/task", "/var/task/lib", "/opt/lib"]),
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
    }


def _unpacked(places: Places, temporary: Path) -> dict[str, str]:
    return {
        "LD_LIBRARY_PATH": _joined(places.task, places.task / "lib", places.opt / "lib"),
        "MODEL_DIR": str(places.opt / "models"),
        "PATH": _joined(Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin"), places.opt / "bin"),
        "TMPDIR": str(temporary),
    }


def without_account(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which no profile, endpoint or credentials of a real account are found."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return {**kept, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _configured(environment: Mapping[str, str], opt: Path) -> dict[str, str]:
    """Without Lambda's own variables: Lambda refuses a configuration that sets them."""
    kept = {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "_HANDLER")}
    if preload := kept.get(_PRELOAD):
        kept[_PRELOAD] = re.sub(rf"(^|[: ]){OPT}/", rf"\g<1>{opt}/", preload)
    return kept


def _joined(*paths: Path) -> str:
    return ":".join(map(str, paths))
