"""Certificates that settings name, before anything is served with them."""

import ssl
import subprocess
import sys

import pytest

from collector.receive.server import BadCertificate, Pair
from tests.certificates import Authority

AUTHORITY = Authority()
GOOD, OTHER = AUTHORITY.signed("one"), AUTHORITY.signed("two")
LOCKED = AUTHORITY.signed("one", key_password="x")


def test_a_pair_becomes_a_context_of_tls_1_2_and_newer() -> None:
    context = Pair(GOOD.certificate + AUTHORITY.certificate, GOOD.key).context()
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert "PRIVATE" not in repr(Pair("c", GOOD.key))


@pytest.mark.parametrize(
    ("certificate", "key"),
    [(GOOD.certificate, OTHER.key), ("", ""), ("x", GOOD.key), (GOOD.certificate, ""), (GOOD.certificate, LOCKED.key)],
)
def test_what_does_not_fit_is_refused(certificate: str, key: str) -> None:
    with pytest.raises(BadCertificate):
        Pair(certificate, key).context()


@pytest.mark.parametrize(
    ("certificate", "key", "expected"),
    [(GOOD.certificate, GOOD.key, "fine"), (GOOD.certificate, OTHER.key, "bad"), ("x", "y", "bad")],
)
def test_the_dashboards_server_refuses_it_too(certificate: str, key: str, expected: str) -> None:
    """In a process of its own: the server's module installs Twisted's reactor."""
    program = (
        "import sys\nfrom dashboard.server import BadCertificate, tls_context\n"
        "try:\n    tls_context(sys.argv[1], sys.argv[2])\n    print('fine')\n"
        "except BadCertificate:\n    print('bad')\n"
    )
    done = subprocess.run([sys.executable, "-c", program, certificate, key], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected
