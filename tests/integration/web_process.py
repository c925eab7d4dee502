"""`manage.py web` as a process on the test database, and a small WebSocket client to talk to it."""

import base64
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from stack.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
_PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Web:
    """A running web process."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def origin(self) -> str:
        """Of its own pages."""
        return f"http://127.0.0.1:{self.port}"

    def rss_mb(self) -> float:
        """Memory the process holds, MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def connect(self) -> socket.socket:
        """A plain connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE_SECONDS)


@contextmanager
def web(folder: Path, *, database: str, **environment: str) -> Iterator[Web]:
    """Start it, wait until it serves, stop it by SIGTERM and see that it ends well and in time."""
    folder.chmod(0o700)
    port = free_port()
    ready, log = folder / "ready", folder / "web.log"
    variables = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": database,
        "SECRET_KEY": settings.SECRET_KEY,
        "WEIR_DATA_DIR": str(folder),
        "WEIR_HTTP_PORT": str(port),
        "WEIR_READY_FILE": str(ready),
        **environment,
    }
    with log.open("wb") as out:
        command = [sys.executable, "-u", "manage.py", "web"]
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (ready.exists() and ready.read_text().strip() == str(process.pid)):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield Web(port, process, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def database_url() -> str:
    """The test database's address."""
    found = connection.settings_dict
    user = f"{quote(found['USER'])}:{quote(found['PASSWORD'])}"
    return f"postgresql://{user}@{found['HOST']}:{found['PORT']}/{found['NAME']}"


class HandshakeRefused(Exception):
    """The server did not switch protocols; the message is its status line."""


class Page:
    """The client's end of a live socket."""

    def __init__(self, connected: socket.socket, *headers: str) -> None:
        self._socket = connected
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        lines = (
            "GET /live/ HTTP/1.1", f"Host: 127.0.0.1:{connected.getpeername()[1]}", "Upgrade: websocket",
            "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Extensions: permessage-deflate", *headers,
        )  # fmt: skip
        connected.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self._buffer = b""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        self.head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        if not self.head.startswith(b"HTTP/1.1 101"):
            connected.close()
            raise HandshakeRefused(self.head.split(b"\r\n", 1)[0].decode())

    def say(self, message: object) -> None:
        """Send one JSON message."""
        self.say_bytes(json.dumps(message).encode())

    def say_bytes(self, payload: bytes, *, opcode: int = 1, final: bool = True) -> None:
        """Send one masked frame."""
        head = bytes([(0x80 if final else 0) | opcode])
        if len(payload) < 126:
            head += bytes([0x80 | len(payload)])
        elif len(payload) < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", len(payload))
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", len(payload))
        self._socket.sendall(head + b"\0\0\0\0" + payload)  # a mask of zeros changes nothing

    def hear(self, *, within: float = 15) -> dict[str, Any] | int | None:
        """The next message, the code of a close, or None for a connection that just ended. Raises TimeoutError."""
        self._socket.settimeout(within)
        while True:
            try:
                opcode, payload = self._frame()
            except (ConnectionError, EOFError):
                return None
            if opcode in {1, 2}:
                message: dict[str, Any] = json.loads(zlib.decompress(payload) if opcode == 2 else payload)
                return message
            if opcode == 8:
                return int(struct.unpack(">H", payload[:2])[0]) if payload else 1005

    def close(self) -> None:
        """Go away."""
        self._socket.close()

    def _frame(self) -> tuple[int, bytes]:
        head = self._exactly(2)
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", self._exactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", self._exactly(8))
        return head[0] & 0x0F, self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._more()
        taken, self._buffer = self._buffer[:size], self._buffer[size:]
        return taken

    def _more(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise EOFError
        self._buffer += data
