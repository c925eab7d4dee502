"""Both receivers in one process: start, serve until told to stop, drain."""

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import grpc
import uvicorn

from collector.outages import Outage
from collector.ports import KafkaRefused, KafkaUnreachable
from collector.receive.connections import BoundedConnection
from collector.receive.grpc_service import GrpcReceiver
from collector.receive.http import HttpReceiver
from collector.receive.reception import Reception

log = logging.getLogger(__name__)

DRAIN_SECONDS = 1.0
SPOOL_RETRY_SECONDS = 1.0
BACKLOG = 2048
MOST_CONNECTIONS = 2000


class BadCertificate(Exception):
    """The certificate or its key is no PEM, or the two do not belong together."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its key, PEM."""

    certificates: str
    key: str = field(repr=False)

    def context(self) -> ssl.SSLContext:
        """For Python's servers, which take files only. Raises BadCertificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:  # made with 0600, gone at once
            both.write(f"{self.certificates}\n{self.key}\n")
            both.flush()
            try:
                context.load_cert_chain(both.name, password=_no_password)
            except (ssl.SSLError, ValueError) as error:
                raise BadCertificate(BadCertificate.__doc__) from error
        return context


def _no_password() -> str:
    raise ValueError("an encrypted key cannot be used")


class PortTaken(Exception):
    """Something else listens there already, or the address is not one of this machine."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where to listen, and the settings that change it."""

    bind: str
    http_port: int
    grpc_port: int


@dataclass
class Receivers:
    """`make_spool` creates the spool topic if it is missing; `on_ready` is called once all is served."""

    reception: Reception
    http: HttpReceiver
    grpc: GrpcReceiver
    places: Places
    make_spool: Callable[[], object]
    on_ready: Callable[[], None]
    pair: Pair | None = None  # to serve by TLS

    async def serve(self) -> None:
        """Until SIGTERM or SIGINT. Raises PortTaken or BadCertificate before anything is served."""
        context = self.pair.context() if self.pair else None
        stop = asyncio.Event()
        stopping = threading.Event()
        grpc_server = self.grpc.server()
        with _bound(self.places) as listener:
            _add_grpc_port(grpc_server, self.places, self.pair)
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            grpc_server.start()
            http = _HttpServer(_config(self.http, context))
            serving = asyncio.create_task(http.serve(sockets=[listener]))
            threading.Thread(target=self._open, args=[stopping], name="spool", daemon=True).start()
            await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)
            stopping.set()
            http.should_exit = True
            drained = grpc_server.stop(grace=DRAIN_SECONDS)
            await serving
            await asyncio.to_thread(drained.wait, DRAIN_SECONDS)
            await asyncio.to_thread(self.reception.publisher.close, wait_seconds=DRAIN_SECONDS / 2)

    def _open(self, stopping: threading.Event) -> None:
        """Take requests once the spool is there; until then they are told to come again."""
        outage = Outage(log, "The spool")
        while not stopping.is_set():
            try:
                self.make_spool()
            except (KafkaUnreachable, KafkaRefused) as error:
                outage.log(logging.WARNING, "The spool is not ready: %s", error)
                stopping.wait(SPOOL_RETRY_SECONDS)
            else:
                self.reception.open = True
                self.on_ready()
                return


class _HttpServer(uvicorn.Server):
    """uvicorn without its own signal handlers: two servers share this process's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them to us."""
        yield


def _config(app: HttpReceiver, context: ssl.SSLContext | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedConnection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=int(DRAIN_SECONDS),
        limit_concurrency=MOST_CONNECTIONS,
        backlog=BACKLOG,
        ssl_context_factory=None if context is None else lambda _config, _default: context,
    )


@contextlib.contextmanager
def _bound(places: Places) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in places.bind else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind((places.bind, places.http_port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise PortTaken(
                f"OTLP/HTTP cannot listen on {places.bind} port {places.http_port} ({error.strerror})."
                " Set WEIR_OTLP_HTTP_PORT or WEIR_OTLP_BIND."
            ) from None
        listener.setblocking(False)  # noqa: FBT003  the name of the call says it
        yield listener
    finally:
        listener.close()


def _add_grpc_port(server: grpc.Server, places: Places, pair: Pair | None) -> None:
    bind = f"[{places.bind}]" if ":" in places.bind else places.bind
    try:
        if pair is None:
            server.add_insecure_port(f"{bind}:{places.grpc_port}")
        else:
            own = grpc.ssl_server_credentials([(pair.key.encode(), pair.certificates.encode())])
            server.add_secure_port(f"{bind}:{places.grpc_port}", own)
    except RuntimeError:
        raise PortTaken(
            f"OTLP/gRPC cannot listen on {places.bind} port {places.grpc_port}."
            " Set WEIR_OTLP_GRPC_PORT or WEIR_OTLP_BIND."
        ) from None
