"""The buckets that tests use, as a stage may use its own."""

from chalicelib.aws.buckets import Buckets

ACCOUNT = "123456789012"
"""Moto's, and that of the ARNs in the tests."""
OTHERS = ("pictures", "other-pictures", "elsewhere", "out-put", "pictures-of-mine", "other")
STAGE = Buckets(ACCOUNT, "slimception-dev", OTHERS)
