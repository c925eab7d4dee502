"""Which names and addresses are Weir's own: pure rules on hosts, origins and proxies (docs/security.md)."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def network(text: str) -> Network:
    """A network or a single address. Raises ValueError."""
    return ip_network(text, strict=False)


def address(text: str) -> Address | None:
    """The IP address in `text`, v4-mapped ones as v4; None where it is not one."""
    try:
        found = ip_address(text.strip().strip("[]").partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


def is_loopback(name: str) -> bool:
    """Whether `name` (a host name or an address) can only be this machine."""
    found = address(name)
    return found.is_loopback if found else name.lower() == "localhost"


def host_name(header: str) -> str:
    """The name in a Host header, lower case, without its port; IPv6 stays in brackets."""
    name, colon, port = header.rpartition(":")
    has_port = colon and port.isdigit() and (not name.endswith(":") or name.startswith("["))
    return (name if has_port else header).lower()


def own_hosts(public_url: str, bind: str) -> frozenset[str]:
    """The names a Host header may hold: that of the public URL; all of loopback where either is loopback."""
    name = urlsplit(public_url).hostname or ""
    name = f"[{name}]" if ":" in name else name
    return frozenset({name}) | LOOPBACK_NAMES if is_loopback(bind) or is_loopback(name) else frozenset({name})


def own_origins(public_url: str, bind: str, port: int) -> frozenset[str]:
    """The origins whose pages are ours: scheme, host and port together, as browsers write them."""
    found = {_origin(public_url)}
    if is_loopback(urlsplit(public_url).hostname or ""):
        url = urlsplit(public_url)
        found |= {_origin(f"{url.scheme}://{name}:{url.port or _DEFAULT_PORTS[url.scheme]}") for name in LOOPBACK_NAMES}
    if is_loopback(bind):
        found |= {_origin(f"http://{name}:{port}") for name in LOOPBACK_NAMES}
    return frozenset(found)


def client_address(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Who really asks: the rightmost address of X-Forwarded-For that is not a trusted proxy.

    `forwarded`: the header's values in order. Only called when `peer` itself is trusted; a part that is no address
    ends the search, for what stands left of it was written by somebody unknown.
    """
    best = peer
    for part in reversed([part for value in forwarded for part in value.split(",")]):
        found = address(part)
        if found is None:
            break
        best = str(found)
        if not is_trusted(best, trusted):
            break
    return best


def is_trusted(peer: str, trusted: Sequence[Network]) -> bool:
    """Whether the address `peer` is one of the `trusted` networks."""
    found = address(peer)
    return found is not None and any(found in each for each in trusted)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    if parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme):
        return f"{parts.scheme}://{name}"
    return f"{parts.scheme}://{name}:{parts.port}"
