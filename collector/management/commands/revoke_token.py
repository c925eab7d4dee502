"""`manage.py revoke_token ID`: end a token now."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from collector import audit
from collector.clock import now
from collector.config import tokens


class Command(BaseCommand):
    """Receivers hear of it within a second; should that hint be lost, they ask within 30. The API asks each time."""

    help = "End a token. Senders that still use it are refused within 30 seconds, most often within one."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which token."""
        parser.add_argument("id")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises CommandError where there is no such token, or it has ended already."""
        at, old = now(), str(options["id"])
        with transaction.atomic():
            if not tokens.revoke(old, now=at):
                raise CommandError("There is no valid token with this id.")
            audit.append_command("revoke token", old, at=at)
