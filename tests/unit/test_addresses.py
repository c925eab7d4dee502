"""Which hosts, origins and clients are believed."""

import pytest

from dashboard import addresses

PROXIES = [addresses.network("10.0.0.0/8"), addresses.network("2001:db8::1")]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("weir.example", "weir.example"),
        ("WEIR.example:443", "weir.example"),
        ("127.0.0.1:8000", "127.0.0.1"),
        ("[::1]:8000", "[::1]"),
        ("[::1]", "[::1]"),
        ("a:b:8000", "a:b"),
        ("evil.example:80:80", "evil.example:80"),
        ("", ""),
    ],
)
def test_a_host_header_gives_its_name(header: str, name: str) -> None:
    assert addresses.host_name(header) == name


def test_loopback_names_are_ours_only_where_loopback_is_served() -> None:
    assert addresses.own_hosts("https://weir.example", "10.1.2.3") == {"weir.example"}
    assert "localhost" in addresses.own_hosts("https://weir.example", "127.0.0.1")
    assert "[::1]" in addresses.own_hosts("http://127.0.0.1:8000", "0.0.0.0")  # noqa: S104


def test_an_origin_has_scheme_host_and_port() -> None:
    found = addresses.own_origins("https://weir.example", "127.0.0.1", 8000)
    assert found == {
        "https://weir.example",
        "http://127.0.0.1:8000",
        "http://localhost:8000",
        "http://[::1]:8000",
    }


def test_default_ports_are_left_out_as_browsers_do() -> None:
    assert addresses.own_origins("https://weir.example:443", "10.0.0.1", 8000) == {"https://weir.example"}
    assert "http://localhost" in addresses.own_origins("http://127.0.0.1:80", "0.0.0.0", 8000)  # noqa: S104


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ([], "10.0.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["1.2.3.4, 203.0.113.9"], "203.0.113.9"),
        (["1.2.3.4, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        (["1.2.3.4", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, unknown"], "10.0.0.1"),
        (["10.2.2.2, 10.3.3.3"], "10.2.2.2"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["<script>"], "10.0.0.1"),
    ],
)
def test_s13_the_client_is_the_rightmost_address_that_is_no_proxy(forwarded: list[str], client: str) -> None:
    assert addresses.client_address("10.0.0.1", forwarded, PROXIES) == client
