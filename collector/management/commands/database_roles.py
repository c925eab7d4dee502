"""`manage.py database_roles`: SQL that gives each of Weir's processes a database role of its own."""

from django.core.management.base import BaseCommand

from collector.store import roles


class Command(BaseCommand):
    """Prints and changes nothing: only an administrator of the database may make roles."""

    help = "Print SQL that makes the roles of Weir's processes. Pipe it into psql, again after each migration."
    requires_system_checks = ()

    def handle(self, *_args: object, **_options: object) -> None:
        """In one transaction."""
        for statement in ("begin", *roles.statements(), "commit"):
            self.stdout.write(f"{statement};")
