"""Frames that are written once for all sockets, and go out at once where nothing waits."""

import zlib

import pytest
from twisted.internet.tcp import Connection

from dashboard.live.frames import framed
from dashboard.protocols import Plain
from tests.unit.frames import payload


@pytest.mark.parametrize("length", [0, 1, 125, 126, 65_535, 65_536])
def test_a_message_of_any_length_is_one_frame(length: int) -> None:
    assert payload(framed(b"x" * length, is_text=True)) == b"x" * length
    packed = zlib.compress(b"x" * length)
    assert payload(framed(packed, is_text=False)) == b"x" * length


class Below(Connection):  # type: ignore[misc]
    """A connection whose kernel takes so many bytes at once, or is lost."""

    connected, disconnecting = True, False

    def __init__(self, room: int | Exception) -> None:
        self._room, self.taken, self.asked = room, b"", b""
        self.dataBuffer = b""
        self._tempDataBuffer: list[bytes] = []

    def writeSomeData(self, data: bytes) -> int | Exception:  # Twisted's name
        """As much as there is room for."""
        if isinstance(self._room, Exception):
            return self._room
        self.taken += data[: self._room]
        return len(data[: self._room])

    def write(self, data: bytes) -> None:
        """What the event loop shall write."""
        self.asked += data
        self._tempDataBuffer.append(data)


@pytest.mark.parametrize(
    ("room", "at_once", "waiting"),
    [(100, b"onetwo", b""), (2, b"on", b"etwo"), (0, b"", b"onetwo"), (ConnectionError(), b"", b"onetwo")],
    ids=["room for all", "room for some", "no room", "lost"],
)
def test_what_the_kernel_does_not_take_waits_and_all_that_follows_waits_behind_it(
    room: int | Exception, at_once: bytes, waiting: bytes
) -> None:
    below, connection = Below(room), Plain(None, None)
    connection.transport = below
    connection.write_now(b"one")
    connection.write_now(b"two")
    assert (below.taken, below.asked) == (at_once, waiting)


def test_a_connection_that_is_closing_is_not_written_past_its_end() -> None:
    below, connection = Below(100), Plain(None, None)
    connection.transport, below.disconnecting = below, True
    connection.write_now(b"one")
    assert (below.taken, below.asked) == (b"", b"one")
