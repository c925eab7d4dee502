"""`manage.py create_admin NAME`: an admin, where the sign-in link cannot be used."""

from dashboard.management.commands.create_person import Command as CreatePerson
from dashboard.models import Role


class Command(CreatePerson):
    """As create_person, with the role given."""

    help = "Create an admin. The password is asked for, or read from standard input with --password-stdin."
    role = Role.ADMIN
