"""The environment of a function's process: what Lambda sets, then what the function's configuration sets."""

import os
from collections.abc import Mapping
from pathlib import Path

from localaws.host.function import Function
from localaws.host.layout import Tree

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "localaws", "AWS_SECRET_ACCESS_KEY": "localaws", "AWS_SESSION_TOKEN": "localaws"}
"""Not secret: nothing on this machine checks them, but a client signs only with keys."""
CLIENT_KEYS = {
    "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
    "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
}
"""The same as boto3 takes them."""


def function_environment(
    function: Function, tree: Tree, runtime_packages: Path, runtime_api: str, log_stream: str, temporary: Path
) -> dict[str, str]:
    """Source: AWS Lambda developer guide, "Defined runtime environment variables".

    Three things differ. MODEL_DIR, LD_LIBRARY_PATH and PYTHONPATH name the unpacked tree, since only root
    could mount it at /opt. PYTHONPATH also gives the process its whole search path (function, layers, runtime
    client), so that it needs no start-up file. TMPDIR is the instance's own, as /tmp is on Lambda.
    """
    task, opt = tree.task, tree.opt
    layer_packages = (opt / "python" / "lib" / function.runtime / "site-packages", opt / "python")
    return {
        **CREDENTIALS,
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
        "LAMBDA_RUNTIME_DIR": str(runtime_packages),
        "LAMBDA_TASK_ROOT": str(task),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": _joined(task, task / "lib", opt / "lib"),
        "MODEL_DIR": str(opt / "models"),
        "PATH": _joined(Path("/usr/local/bin"), Path("/usr/bin"), Path("/bin"), opt / "bin"),
        "PYTHONPATH": _joined(task, *layer_packages, runtime_packages),
        "TMPDIR": str(temporary),
        "TZ": ":UTC",
        "_HANDLER": function.handler,
        **_configured(function.environment),
    }


def without_account(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which no profile, endpoint or credentials of a real account are found."""
    kept = {name: value for name, value in environment.items() if not name.startswith("AWS_")}
    return {**kept, "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}


def _configured(environment: Mapping[str, str]) -> dict[str, str]:
    """Without Lambda's own variables: Lambda refuses a configuration that sets them."""
    return {name: value for name, value in environment.items() if name not in ("PYTHONPATH", "_HANDLER")}


def _joined(*paths: Path) -> str:
    return ":".join(map(str, paths))
