"""The one exception of the converter that reaches the user, as one line."""


class ConvertError(Exception):
    """The conversion cannot go on; the message says why and what to do."""
