"""`manage.py sign_in_link`: the address at which the first admin is made."""

from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand
from django.urls import reverse

from collector.clock import now
from dashboard import addresses, first_admin


class Command(BaseCommand):
    """Prints one line while there is no admin, else nothing."""

    help = "Print a link that makes the first admin: once, for ten minutes, from this machine."
    requires_system_checks = ()

    def handle(self, *_args: object, **_options: object) -> None:
        """A new link ends the one before."""
        start = _loopback_url()
        if start is None:
            self.stderr.write("Weir is not reached by a loopback address: make the first admin with create_admin.")
        elif secret := first_admin.new_link(now=now()):
            self.stdout.write(f"{start}{reverse('first_admin', args=[secret])}")


def _loopback_url() -> str | None:
    """The address under which this machine's browser gets through the guard as itself."""
    if addresses.is_loopback(urlsplit(settings.WEIR_PUBLIC_URL).hostname or ""):
        return str(settings.WEIR_PUBLIC_URL)
    if addresses.is_loopback(settings.WEIR_HTTP_BIND):
        return f"http://localhost:{settings.WEIR_HTTP_PORT}"
    return None
