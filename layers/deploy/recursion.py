"""The lister's recursion setting, made after `chalice deploy`. In the packaged template it is a property.

A listing that takes longer than an invocation sends itself a message: listings -> lister -> listings. Lambda stops such
a chain at about the 16th invocation and makes its message a dead letter, unless the function's RecursiveLoop is Allow.
A chain of the lister ends by itself: each invocation lists at least one page or fails, and a failure counts as a
receive. Source: AWS Lambda developer guide, "Use Lambda recursive loop detection to prevent infinite loops".
"""

from collections.abc import Iterator
from typing import Any

from layers.deploy.names import function_name

LISTER = "lister"


def allow_recursion(lambda_client: Any, app_name: str, stage: str) -> Iterator[str]:
    """Let a stage's lister send itself messages without end, with a line on it; raises botocore's ClientError."""
    function = function_name(app_name, stage, LISTER)
    lambda_client.put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")
    yield f"{function}: may list in more than 16 invocations, one after another (RecursiveLoop Allow)"
