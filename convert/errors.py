"""The converter's exceptions. The command line prints their messages, each as one line."""


class ConvertError(Exception):
    """The conversion cannot continue; the message says why and what to do."""


class LowAgreementError(ConvertError):
    """The bundle and its source name different classes too often."""
