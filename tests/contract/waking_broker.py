"""A broker that is not itself yet: deaf, or up without knowing its cluster, as Kafka may be while it comes back."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

API_VERSIONS, METADATA, INIT_PRODUCER_ID = 18, 3, 22
COORDINATOR_LOADS, NO_LEADER = 14, 5
_HEAD = struct.Struct(">hhi")  # api, its version, correlation id


class WakingBroker:
    """Listens at `bootstrap`; after `wake` whatever comes goes on to the real broker.

    `is_old`: until then it does not know idempotent producers either, which is a fatal error for one.
    """

    def __init__(self, real: str, *, is_old: bool = False) -> None:
        self._apis = [(API_VERSIONS, 0, 3), (METADATA, 1, 1)] + ([] if is_old else [(INIT_PRODUCER_ID, 0, 1)])
        host, _, port = real.rpartition(":")
        self._real = (host, int(port))
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._is_awake = self._is_heard = False
        self._knows = True

    @property
    def bootstrap(self) -> str:
        """Where clients look for it."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def forget(self) -> None:
        """From now on it says that there are no brokers; who was connected has to come again."""
        self._knows = False
        self._hang_up()

    def hear(self) -> None:
        """From now on it answers: that it is the only broker, and has no topics."""
        if self._is_heard:
            return
        self._is_heard = True
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def wake(self) -> None:
        """From now on the real broker answers; who was connected is not any more."""
        self._is_awake = True
        self._hang_up()

    def close(self) -> None:
        """Gone."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            gone, self._open = self._open, []
        for each in gone:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.append(client)
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if not self._is_awake:
                for request in _requests(client):
                    client.sendall(_answer(request, self._apis, self._listener.getsockname() if self._knows else None))
                return
            with socket.create_connection(self._real) as real:
                threading.Thread(target=_pass_on, args=[real, client], daemon=True).start()
                _pass_on(client, real)


def _requests(client: socket.socket) -> Iterator[bytes]:
    while size := _exactly(client, 4):
        yield _exactly(client, int.from_bytes(size, "big"))


def _exactly(client: socket.socket, n: int) -> bytes:
    found = b""
    while len(found) < n:
        more = client.recv(n - len(found))
        if not more:
            return b""
        found += more
    return found


def _answer(request: bytes, apis: list[tuple[int, int, int]], itself: tuple[str, int] | None) -> bytes:
    """Kafka's protocol, as far as a client asks before it knows any broker."""
    api, version, correlation = _HEAD.unpack_from(request)
    body = struct.pack(">i", correlation)
    if api == API_VERSIONS:
        if version >= 3:
            body += struct.pack(">hB", 0, len(apis) + 1)
            body += b"".join(struct.pack(">hhhB", *each, 0) for each in apis) + struct.pack(">iB", 0, 0)
        else:
            body += struct.pack(">hi", 0, len(apis)) + b"".join(struct.pack(">hhh", *each) for each in apis)
            body += struct.pack(">i", 0) if version else b""
    elif api == INIT_PRODUCER_ID:
        body += struct.pack(">ihqh", 0, COORDINATOR_LOADS, -1, -1)
    elif itself:  # one broker, which is this; it is the controller, and has no topics
        host, port = itself
        body += struct.pack(">iih", 1, 1, len(host)) + host.encode() + struct.pack(">ihii", port, -1, 1, 0)
    else:  # no brokers, no controller, one topic whose only partition has no leader
        body += struct.pack(">iii", 0, -1, 1)
        body += struct.pack(">hh5s?", 0, 5, b"topic", False) + struct.pack(">ihiiii", 1, NO_LEADER, 0, -1, 0, 0)
    return struct.pack(">i", len(body)) + body


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while more := source.recv(65_536):
            target.sendall(more)
    for each in (source, target):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
