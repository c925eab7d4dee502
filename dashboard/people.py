"""People and scripts as commands make them; each with its row in the audit log."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from collector import audit
from dashboard.models import Person, Role

BY_COMMAND = "command line"


class NameTaken(Exception):
    """Somebody has this name already."""


def create(name: str, *, role: Role, password: str, now: datetime) -> Person:
    """A new person. Raises NameTaken."""
    encoded = make_password(password)
    try:
        with transaction.atomic():
            person = Person.objects.create(name=name, role=role, password=encoded, created_at=now)
            _note("create person", person, now)
    except IntegrityError:
        raise NameTaken(NameTaken.__doc__) from None
    return person


def _note(action: str, person: Person, now: datetime) -> None:
    audit.append(
        at=now,
        person_id=None,
        person_name=BY_COMMAND,
        action=action,
        object=person.name,
        result="done",
        facts={"role": person.role},
    )
