"""What a server runs: guard, static files, then pages and API, or the live socket."""

import os

from channels.routing import ProtocolTypeRouter
from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
_pages = get_asgi_application()

from dashboard import addresses  # noqa: E402 - after Django's set-up
from dashboard.guard import Guard, Limits  # noqa: E402
from dashboard.live import service  # noqa: E402
from dashboard.static_files import StaticFiles  # noqa: E402

live = service.build()
_limits = Limits(
    hosts=addresses.own_hosts(settings.WEIR_PUBLIC_URL, settings.WEIR_HTTP_BIND),
    trusted=settings.WEIR_TRUSTED_PROXIES,
    https=settings.WEIR_PUBLIC_URL.startswith("https://"),
)
application = Guard(StaticFiles(ProtocolTypeRouter({"http": _pages, "websocket": live.application})), _limits)
