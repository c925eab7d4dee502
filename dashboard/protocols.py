"""Daphne's requests, channels and sockets with limits: body, time, frames (docs/security.md S14, S15)."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper
from twisted.web.http import HTTPChannel

from dashboard import addresses
from dashboard.guard import protected

FRAME_BYTES = 4096
"""Of what a page may send in one frame, and in one message."""
LARGEST_SENT_BYTES = 64 * 1024 * 1024
"""autobahn applies its message limit to what the server sends, too."""
_DISCARD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Caps:
    """How much one client may ask of this process. `exempt`: networks without a cap on connections."""

    body_bytes: int = 1024 * 1024
    request_seconds: float = 30
    idle_seconds: float = 60
    connections: int = 4000
    connections_per_address: int = 100
    exempt: Sequence[addresses.Network] = ()
    https: bool = False


class Request(WebRequest):
    """A request whose body is counted while it arrives; Daphne hands it on only when it is whole."""

    _received_bytes = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """The declared length, None for a chunked body."""
        super().gotLength(length if length is None or length <= self._caps.body_bytes else 0)
        if length is not None and length > self._caps.body_bytes:
            self._too_large()

    def handleContentChunk(self, data: bytes) -> None:
        """A piece of the body, whoever declared what."""
        self._received_bytes += len(data)
        if self._received_bytes > self._caps.body_bytes:
            self._too_large()
        if not self._refused:
            super().handleContentChunk(data)

    def process(self) -> object:
        """The whole request is here."""
        return None if self._refused else super().process()

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        """Daphne's own refusals, without its name and its inline style."""
        headers = protected([(b"content-type", b"text/plain; charset=utf-8")], https=self._caps.https)
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": f"{status_text.decode()}: {body}\n".encode()})

    @property
    def _caps(self) -> Caps:
        caps: Caps = self.server.caps
        return caps

    def _too_large(self) -> None:
        """413 at once; what still arrives is thrown away for a moment, so that the client reads the answer."""
        if self._refused:
            return
        self._refused = True
        transport = self.channel.transport
        transport.write(bare_answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, https=self._caps.https))
        self.channel.callLater(_DISCARD_SECONDS, transport.abortConnection)


class Channel(HTTPChannel):
    """A connection that must bring each request whole within a time, however busily it dribbles."""

    requestFactory = Request
    _deadline: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        """Bytes arrived: the first ones of a request start its clock."""
        if self._deadline is None and not self._handlingRequest:
            self._deadline = self.callLater(self._caps.request_seconds, self._too_slow)
        super().dataReceived(data)

    def allContentReceived(self) -> None:
        """The request is whole."""
        self._stop_clock()
        super().allContentReceived()

    def connectionLost(self, reason: object = None) -> None:
        """The client went away."""
        self._stop_clock()
        super().connectionLost(reason)

    @property
    def _caps(self) -> Caps:
        caps: Caps = self.factory.server.caps
        return caps

    def _too_slow(self) -> None:
        self._deadline = None
        self.transport.write(bare_answer(HTTPStatus.REQUEST_TIMEOUT, https=self._caps.https))
        self.loseConnection()

    def _stop_clock(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def lineLengthExceeded(self, _line: bytes) -> None:
        """One header is longer than all may be together."""
        self._respondToBadRequestAndDisconnect()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.transport.write(bare_answer(HTTPStatus.BAD_REQUEST, https=self._caps.https))
        self.loseConnection()


class Plain(ProtocolWrapper):
    """A connection without TLS."""

    def write_now(self, data: bytes) -> None:
        """Like `write`, but tries at once: to wait for the event loop's leave costs more than the writing."""
        below = self.transport
        if (
            isinstance(below, Connection)
            and below.connected
            and not (below.disconnecting or below.dataBuffer or below._tempDataBuffer)
        ):
            sent = below.writeSomeData(data)
            if isinstance(sent, int):  # else the connection is lost, which `write` finds out, too
                data = data[sent:]
        if data:
            below.write(data)


class Socket(WebSocketProtocol):
    """A socket whose messages stay small also when they come in pieces."""

    def onMessageFrameBegin(self, length: int) -> None:
        """A frame begins; autobahn itself fails one that is too long."""
        super().onMessageFrameBegin(length)
        if length <= FRAME_BYTES < self.message_data_total_length:
            self.sendClose(code=4009, reason="message too long")

    def write_frame(self, frame: bytes) -> None:
        """A frame that is ready. To a page that is leaving nothing is sent: that it left is told as an event."""
        if self.state != self.STATE_OPEN:
            return
        if isinstance(self.transport, Plain):
            self.transport.write_now(frame)
        else:
            self.transport.write(frame)

    def sendHttpErrorResponse(
        self, code: int, reason: str, responseHeaders: list[tuple[str, str]] | None = None
    ) -> None:
        """A handshake was refused."""
        headers = [
            (name.decode(), value.decode()) for name, value in protected([], https=self.factory.server_class.caps.https)
        ]
        super().sendHttpErrorResponse(code, reason, [*(responseHeaders or []), *headers, ("Content-Length", "0")])


class Sockets(WebSocketFactory):
    """Makes sockets."""

    protocol = Socket


class Requests(HTTPFactory):
    """Makes channels."""

    def buildProtocol(self, _addr: object) -> Channel:
        """One channel; Daphne's own would set its request class here."""
        channel = Channel()
        channel.factory = self
        channel.callLater = self.reactor.callLater
        channel.timeOut = self.server.caps.idle_seconds
        return channel


def bare_answer(status: HTTPStatus, *, https: bool) -> bytes:
    """A whole answer for a client that gets no further: status, our headers, no body."""
    headers = protected([(b"content-length", b"0"), (b"connection", b"close")], https=https)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode(), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"
