"""`manage.py web`: serves pages, API and live socket."""

import os
import resource
import sys

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from collector import telemetry
from collector.clock import now
from collector.management.health import PartReport
from collector.ready import announce_ready
from dashboard import process, static_files

MOST_FILES = 16_384


class Command(BaseCommand):
    """Collects the static files, then serves until SIGTERM."""

    help = "Serve the dashboard at WEIR_HTTP_BIND and WEIR_HTTP_PORT."
    requires_migrations_checks = False

    def handle(self, *_args: object, **_options: object) -> None:
        """Ends the process itself: threads of views that still run are not waited for."""
        from dashboard import server  # installs Twisted's reactor, which only this command may
        from dashboard.protocols import Caps

        _open_many()
        static_files.collect()
        from dashboard.asgi import application, live  # reads the collected files

        telemetry.start("web", send_to=settings.WEIR_TELEMETRY_URL)
        report = PartReport("web")
        process.collect_seldom()

        def ready() -> None:
            live.start(lambda sentence, value: report.say(sentence, ok=True, now=now(), value=value))
            announce_ready()

        caps = Caps(exempt=settings.WEIR_TRUSTED_PROXIES, https=settings.WEIR_PUBLIC_URL.startswith("https://"))
        pair = (settings.WEIR_TLS_CERT, settings.WEIR_TLS_KEY) if settings.WEIR_TLS_CERT else None
        web = server.LimitedServer(
            application, bind=settings.WEIR_HTTP_BIND, port=settings.WEIR_HTTP_PORT, caps=caps, ready=ready, pair=pair
        )
        try:
            web.run()
        except server.BadCertificate as error:
            raise CommandError(f"WEIR_TLS_CERT, WEIR_TLS_KEY: {error}") from None
        except server.PortTaken:
            raise CommandError(f"Port {settings.WEIR_HTTP_PORT} is taken. WEIR_HTTP_PORT names another one.") from None
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _open_many() -> None:
    """Each socket takes a file descriptor, and a shell's usual limit is 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
