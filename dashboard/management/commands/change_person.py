"""`manage.py change_person NAME …`: another role, a new password, or nobody of that name may sign in any more."""

from argparse import ArgumentParser

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from collector.clock import now
from dashboard import people
from dashboard.management.commands.create_person import typed_password
from dashboard.models import Role


class Command(BaseCommand):
    """What is not said stays. Sessions that are open end; tokens of who may not sign in open nothing."""

    help = "Change a person's role or password, or whether they may sign in. Their open sessions end."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Who, and what changes."""
        parser.add_argument("name")
        parser.add_argument("--role", choices=Role.values)
        parser.add_argument("--password", action="store_true", help="ask for a new one")
        parser.add_argument("--password-stdin", action="store_true", help="read a new one from standard input")
        standing = parser.add_mutually_exclusive_group()
        standing.add_argument("--inactive", action="store_true", help="may not sign in any more")
        standing.add_argument("--active", action="store_true", help="may sign in again")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises CommandError where nothing is said, for a password that is not taken, or for an unknown name."""
        role = Role(str(options["role"])) if options["role"] else None
        has_password = bool(options["password"] or options["password_stdin"])
        is_active = True if options["active"] else False if options["inactive"] else None
        if role is None and not has_password and is_active is None:
            raise CommandError("Say what changes: --role, --password, --inactive or --active.")
        try:
            password = typed_password(from_stdin=bool(options["password_stdin"])) if has_password else None
            if password is not None:
                password_validation.validate_password(password)
            person = people.change(str(options["name"]), role=role, password=password, is_active=is_active, now=now())
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except people.NobodyOfThatName as error:
            raise CommandError(str(error)) from None
        may = "may sign in" if person.is_active else "may not sign in"
        self.stdout.write(f"{person.name} {may} ({person.role}). Their open sessions ended.")
