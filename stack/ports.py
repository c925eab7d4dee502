"""Ports on the loopback: is one taken, and which is free."""

import errno
import random
import socket
import sys
from collections.abc import Mapping

from stack.problems import PortTaken

LOOPBACK = "127.0.0.1"
_QUIET_RANGE = range(20_000, 32_000)  # below the range that outgoing connections draw from
_GIVEN: set[int] = set()


def is_taken(port: int, *, address: str = LOOPBACK) -> bool:
    """True when nothing of ours could listen there; a port in TIME_WAIT counts as free."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
            probe.listen(1)
        except OSError:
            return True
    return False


def free_port() -> int:
    """A free port on the loopback that nobody else is given while this process lives: it may be used seconds later."""
    for port in random.sample(_QUIET_RANGE, 200):
        if not is_taken(port) and _reserved(port):
            return port
    raise PortTaken("No free port between 20000 and 31999 on 127.0.0.1. Is the loopback interface up?")


def _reserved(port: int) -> bool:
    """Whether it is ours now. On Linux a name that this process binds until it ends keeps other processes away."""
    if port in _GIVEN:
        return False
    if sys.platform == "linux":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as name:
            try:
                name.bind(f"\0weir-port-{port}")
                name.detach()
            except OSError as error:  # where such names are forbidden, this process alone keeps count
                if error.errno == errno.EADDRINUSE:
                    return False
    _GIVEN.add(port)
    return True


def refuse_taken(ports: Mapping[str, tuple[str, int]]) -> None:
    """PortTaken for the first of {setting: (address, port)} that another program holds."""
    for setting, (address, port) in ports.items():
        if is_taken(port, address=address):
            raise PortTaken(taken_message(address, port, setting))


def taken_message(address: str, port: int, setting: str) -> str:
    """The sentence for a taken port: which, and what to change."""
    return (
        f"Port {port} on {address} is taken by another program. Stop that program, or choose another port: "
        f"{setting}={port + 1} make …"
    )


def connects(port: int, *, address: str = LOOPBACK, seconds: float = 0.5) -> bool:
    """True when something accepts a connection there."""
    try:
        with socket.create_connection((address, port), timeout=seconds):
            return True
    except OSError:
        return False
