"""One machine's AWS: moto answers for the services, and Lambda functions run as they do on Lambda.

A function instance is a process of AWS's own runtime client (`awslambdaric`) that sees the unpacked
function zip, the unpacked layers, and nothing else of this machine's Python packages. `python -m localaws up`
deploys the project into it; `LambdaHost` and `LocalAws` are the same for tests and other programs.
"""

from localaws.cloud import LocalAws
from localaws.function import Archive, Function
from localaws.host import LambdaHost
from localaws.invocation import Result

__all__ = ["Archive", "Function", "LambdaHost", "LocalAws", "Result"]
