"""`manage.py create_person NAME --role …`: somebody who may sign in."""

import getpass
import sys
from argparse import ArgumentParser

from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from collector.clock import now
from dashboard import people
from dashboard.forms import PersonName
from dashboard.models import Role


class Command(BaseCommand):
    """Asks for the password twice, or reads it from standard input."""

    help = "Create a person. The password is asked for, or read from standard input with --password-stdin."
    requires_system_checks = ()
    role: Role | None = None

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name, role, and where the password comes from."""
        parser.add_argument("name")
        if self.role is None:
            parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--password-stdin", action="store_true", help="read the password from standard input")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises CommandError with what is wrong with the name or the password."""
        role = self.role or Role(str(options["role"]))
        try:
            name = str(PersonName().clean(options["name"]))
            password = typed_password(from_stdin=bool(options["password_stdin"]))
            password_validation.validate_password(password)
            person = people.create(name, role=role, password=password, now=now())
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except people.NameTaken as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{person.name} may sign in now ({person.role}).")


def typed_password(*, from_stdin: bool) -> str:
    """A line of standard input, or what was typed twice. Raises CommandError where the two differ."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Password again: ") != password:
        raise CommandError("The two passwords differ.")
    return password
