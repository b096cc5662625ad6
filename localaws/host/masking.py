"""What every instance of a host needs so that its process is shown another processor."""

from localaws.host.launch import Additions
from localaws.processor.mask import Shown


def additions(shown: Shown) -> Additions:
    """The mask, in a sandbox as well as without one; nothing if `shown` masks nothing."""
    return Additions(() if shown.library is None else (shown.library,), shown.settings)
