"""Who may speak to the receiver at all: programs may, pages in a browser may not.

A receiver on loopback without a token is open to every page that the same person has open, directly and by DNS
rebinding; therefore the names that it answers to are few, and whatever only browsers send is refused.
"""

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from collector.receive.refusals import PERMISSION_DENIED, Refused

WRONG_HOST = "This receiver does not answer to that host name. Name it in WEIR_OTLP_HOSTS, or use the IP address."
FROM_A_PAGE = "Requests from web pages are not taken. Name the page's origin in WEIR_OTLP_ORIGINS to take them."


@dataclass(frozen=True, slots=True)
class Origins:
    """`hosts`: names besides loopback; `origins`: pages that may send; `any_host`: tokens are required anyway."""

    hosts: Collection[str]
    origins: Collection[str]
    any_host: bool

    def check(self, hosts: Sequence[str], origin: str | None, *, fetched_by_a_page: bool) -> None:
        """Raise Refused (421 for the host, 403 for a page). `hosts`: all Host headers of the request."""
        if len(hosts) != 1 or not (self.any_host or self._is_ours(hosts[0])):
            raise Refused(421, PERMISSION_DENIED, WRONG_HOST)
        if (origin is not None or fetched_by_a_page) and origin not in self.origins:
            raise Refused(403, PERMISSION_DENIED, FROM_A_PAGE)

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        return name == "localhost" or name.endswith(".localhost") or _is_address(name) or name in self.hosts


@lru_cache(maxsize=1_024)
def host_name(host: str) -> str:
    """The name of a Host header, without port, brackets and the dot that may end it."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() and ":" not in name else host).rstrip(".")


@lru_cache(maxsize=1_024)
def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
