"""The converter's exceptions. The command line prints their messages, each as one line."""


class ConvertError(Exception):
    """The conversion cannot continue; the message says why and what to do."""


class LowAgreementError(ConvertError):
    """The bundle and its source name different classes too often."""


class NothingQuantizedError(ConvertError):
    """No layer got smaller: the network is too small for 8 or 16 bits, or has no layer that they fit."""
