"""Daphne with limits of our own, without its command line (docs/security.md S14)."""

# Daphne installs its asyncio reactor when it is imported: before anything else of Twisted.
from daphne.server import Server  # isort:skip

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from OpenSSL import crypto
from OpenSSL.SSL import Error as SSLError
from twisted.internet import defer, reactor, ssl
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.logger import globalLogBeginner
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory

from dashboard import addresses
from dashboard.live.frames import WRITE
from dashboard.protocols import FRAME_BYTES, LARGEST_SENT_BYTES, Caps, Plain, Requests, Socket, Sockets

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application

_STOP_SECONDS = 2.0
_HANDSHAKE_SECONDS = 30  # a burst waits its turn
_BACKLOG = 2_048  # after a restart all pages come back within a second
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class PortTaken(Exception):
    """Another process listens at this address already."""


class BadCertificate(Exception):
    """The certificate or its key is no PEM, or the two do not belong together."""


def tls_context(certificates: str, key: str) -> ssl.CertificateOptions:
    """TLS 1.2 and newer with this chain, the server's own certificate first. Raises BadCertificate."""
    try:
        chain = [
            crypto.load_certificate(crypto.FILETYPE_PEM, block.encode()) for block in _CERTIFICATE.findall(certificates)
        ]
        private = crypto.load_privatekey(crypto.FILETYPE_PEM, key.encode())
        options = ssl.CertificateOptions(
            privateKey=private,
            certificate=chain[0],
            extraCertChain=chain[1:],
            raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
        )
        options.getContext()  # a key that does not fit is found now, not by the first browser
    except (crypto.Error, SSLError, IndexError) as error:
        raise BadCertificate(BadCertificate.__doc__) from error
    return options


class Counted(WrappingFactory):
    """Counts connections, also while they begin TLS and after they became sockets; refuses those above the caps."""

    noisy = False
    protocol = Plain

    def __init__(self, inner: Factory, caps: Caps) -> None:
        super().__init__(inner)
        self._caps = caps
        self._per_address: Counter[str] = Counter()

    def buildProtocol(self, addr: object) -> ProtocolWrapper | None:
        """None closes the connection at once."""
        host = getattr(addr, "host", "")
        if len(self.protocols) >= self._caps.connections:
            return None
        if self._per_address[host] >= self._caps.connections_per_address and not self._is_exempt(host):
            return None
        return super().buildProtocol(addr)

    def registerProtocol(self, p: ProtocolWrapper) -> None:
        """A connection was made."""
        super().registerProtocol(p)
        self._per_address[p.getPeer().host] += 1

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """A connection ended."""
        super().unregisterProtocol(p)
        host = p.getPeer().host
        self._per_address[host] -= 1
        if self._per_address[host] <= 0:
            del self._per_address[host]

    def _is_exempt(self, host: str) -> bool:
        return addresses.is_loopback(host) or addresses.is_trusted(host, self._caps.exempt)


class LimitedServer(Server):
    """One listening port in front of one ASGI application."""

    def __init__(
        self,
        application: "ASGI3Application",
        *,
        bind: str,
        port: int,
        caps: Caps,
        ready: Callable[[], None],
        pair: tuple[str, str] | None = None,
    ) -> None:
        """`pair`: certificate chain and key as PEM, to serve by TLS."""
        super().__init__(
            application, endpoints=["unused"], server_name="", websocket_handshake_timeout=_HANDSHAKE_SECONDS
        )
        self.caps = caps
        self._bind, self._port, self._ready, self._pair = bind, port, ready, pair

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Raises PortTaken."""
        self.connections: dict[object, dict[str, Any]] = {}
        self.ws_factory = Sockets(self, server="")
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,
            openHandshakeTimeout=self.websocket_handshake_timeout,
            maxMessagePayloadSize=LARGEST_SENT_BYTES,
            maxFramePayloadSize=FRAME_BYTES,
            perMessageCompressionAccept=lambda _offers: None,
        )
        globalLogBeginner.beginLoggingTo([lambda _event: None], redirectStandardIO=False, discardBuffer=True)
        asyncio.set_event_loop(reactor._asyncioEventloop)
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        pages = Requests(self)
        inner = pages if self._pair is None else TLSMemoryBIOFactory(tls_context(*self._pair), False, pages)  # noqa: FBT003
        try:
            reactor.listenTCP(self._port, Counted(inner, self.caps), backlog=_BACKLOG, interface=self._bind)
        except CannotListenError as error:
            raise PortTaken from error
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        reactor.callLater(0, self._ready)
        reactor.run()

    def create_application(self, protocol: object, scope: dict[str, Any]) -> object:
        """Start an application for a request or a socket; a socket's may write frames itself."""
        if isinstance(protocol, Socket):
            scope["extensions"] = {WRITE: protocol.write_frame}
        return super().create_application(protocol, scope)

    def kill_all_applications(self) -> defer.Deferred | None:
        """Cancel what runs and wait for it a moment; a thread in a view cannot be cancelled and is left behind."""
        tasks = [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details
        ]
        for task in tasks:
            task.cancel()
        if not tasks:
            return None
        return defer.Deferred.fromFuture(asyncio.ensure_future(asyncio.wait(tasks, timeout=_STOP_SECONDS)))
