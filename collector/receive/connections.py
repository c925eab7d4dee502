"""HTTP connections with an end: a request's head has a size and a time, which uvicorn's parser does not bound."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 32 * 1024
HEAD_SECONDS = 10.0
TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedConnection(HttpToolsProtocol):
    """Closes when the head of a request is too long or does not come to its end in time."""

    _in_head = True
    _n_head_bytes = 0
    _n_whole = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A connection that says nothing ends too."""
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that is not whole yet."""
        was_whole = self._n_whole
        super().data_received(data)
        if not self._in_head or self.transport.is_closing() or self._n_whole != was_whole:
            return  # what ended a request in this piece was its body, and no part of the next head
        self._n_head_bytes += len(data)
        if self._n_head_bytes > MAX_HEAD_BYTES:
            self.transport.write(TOO_LONG)
            self.transport.close()
        elif self._deadline is None:
            self._wait_for_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_head, self._n_head_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next head begins."""
        self._in_head = True
        self._n_whole += 1
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._deadline = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._close)

    def _close(self) -> None:
        self._deadline = None
        if self._in_head:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
