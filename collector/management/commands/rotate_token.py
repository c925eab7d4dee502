"""`manage.py rotate_token ID`: a token in the place of another, which goes on for a day; shown once."""

from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from collector import audit
from collector.clock import now
from collector.config import tokens


class Command(BaseCommand):
    """ID is the part of a token between the second and the third underscore: no secret."""

    help = "Make a new token with the rights of another, which stays valid for 24 hours. It is printed once."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which token."""
        parser.add_argument("id")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises CommandError where there is no such token, or it is no longer valid."""
        at, old = now(), str(options["id"])
        with transaction.atomic():
            text = tokens.rotate(old, now=at)
            if text is None:
                raise CommandError("There is no valid token with this id.")
            audit.append_command("rotate token", old, at=at, facts={"token": text.split("_")[2]})
        self.stdout.write(text)
