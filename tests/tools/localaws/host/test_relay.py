"""Which ports of this machine a function's environment names."""

import pytest

from localaws.host.relay import ports_of


@pytest.mark.parametrize(
    ("value", "ports"),
    [
        ("http://127.0.0.1:4566", (4566,)),
        ("http://localhost:4566/a?b=127.0.0.1:8000", (4566, 8000)),
        ("127.0.0.1:1023", ()),
        ("127.0.0.1:65536", ()),
        ("127.0.0.1:123456", ()),
        ("http://127.0.0.1/", ()),
        ("http://10.127.0.0.1:4566", ()),
        ("http://mylocalhost:4566", ()),
        ("https://example.com:8443", ()),
    ],
)
def test_ports_of_loopback_and_no_other(value, ports):
    assert ports_of({"A": value, "B": "nothing", "C": value}) == ports
