"""One tree of exceptions. Each message is for the user: what is wrong, then what to do."""


class LocalAwsError(Exception):
    """Base of all errors of this package."""


class PortInUse(LocalAwsError):
    """Another program listens on the port."""


class PythonMissing(LocalAwsError):
    """No interpreter of the function's Python version is installed here."""


class EmulatorMissing(LocalAwsError):
    """Programs for the function's processor cannot be run here."""


class PackagesMissing(LocalAwsError):
    """The packages that stand for Lambda's own (the runtime client, boto3) cannot be installed."""


class BadPackage(LocalAwsError):
    """A function or layer zip cannot be unpacked, or all of them together are larger than Lambda takes."""


class TooManyRequests(LocalAwsError):
    """Every instance that the function's reserved concurrency allows is busy."""


class CgroupMissing(LocalAwsError):
    """No cgroup with a processor quota can be made here."""


class SandboxFailed(LocalAwsError):
    """An instance's sandbox did not start, though one had started before."""


class HostClosed(LocalAwsError):
    """The host has been closed; it starts no more instances."""


class DeployFailed(LocalAwsError):
    """`layers publish` or `chalice deploy` ended with an error, or left no API behind."""


class CompilerMissing(LocalAwsError):
    """No C compiler is installed here, or it refuses a source of this project."""


class UnknownPolicy(LocalAwsError):
    """A policy has an element, an operator or a key that the evaluator of policies does not know."""


class UnknownCall(LocalAwsError):
    """It is not known which rights a call needs."""


class MaskMissing(LocalAwsError):
    """CPUID cannot be masked here."""


class ProcessorMissing(LocalAwsError):
    """The processor of this machine has less than the requested features."""
