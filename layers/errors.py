"""One tree of exceptions. Each message is one line: what is wrong, then what to do."""


class LayerError(Exception):
    """Base of everything that ends a command with exit code 2."""


class TargetError(LayerError):
    """No layer is built for this Python or this processor."""


class WheelError(LayerError):
    """A wheel is missing for the target, does not match its hash, or cannot be fetched."""


class BundleError(LayerError):
    """A model bundle lacks a part, or its parts contradict each other."""


class ContentsError(LayerError):
    """A file or folder is missing, or is not a layer, wheel or shared object."""


class BytecodeError(LayerError):
    """The target's Python could not compile the modules."""


class StageError(LayerError):
    """.chalice/config.json cannot be read, or has no such stage."""


class PublishError(LayerError):
    """AWS refused a layer, or could not be reached. Nothing was written to .chalice/config.json."""


class PackageError(LayerError):
    """`chalice package` failed, or its template cannot be completed."""


class EmulatorError(LayerError):
    """Programs of the other processor cannot be run on this machine."""


class CompilerError(LayerError):
    """No compiler for the target's processor is here, or it refused a source."""


class SandboxError(LayerError):
    """A sandbox that could be tried did not start."""
