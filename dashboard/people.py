"""People as commands make and change them; each deed with its row in the audit log."""

from datetime import datetime

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from collector import audit
from collector.changes import announce
from dashboard.models import Person, Role


class NameTaken(Exception):
    """Somebody has this name already."""


class NobodyOfThatName(Exception):
    """There is nobody of this name."""


def create(name: str, *, role: Role, password: str, now: datetime) -> Person:
    """A new person. Raises NameTaken."""
    encoded = make_password(password)
    try:
        with transaction.atomic():
            person = Person.objects.create(name=name, role=role, password=encoded, created_at=now)
            audit.append_command("create person", name, at=now, facts={"role": role})
    except IntegrityError:
        raise NameTaken(NameTaken.__doc__) from None
    return person


def change(
    name: str, *, role: Role | None = None, password: str | None = None, is_active: bool | None = None, now: datetime
) -> Person:
    """What is given changes, and all of the person's sessions end. Raises NobodyOfThatName."""
    encoded = make_password(password) if password is not None else None
    with transaction.atomic():
        person = Person.objects.select_for_update().filter(name=name).first()
        if person is None:
            raise NobodyOfThatName(NobodyOfThatName.__doc__)
        person.role = role or person.role
        person.password = encoded or person.password
        person.is_active = person.is_active if is_active is None else is_active
        person.epoch += 1
        person.save()
        given = {"role": role, "is_active": is_active, "password": "new" if password is not None else None}
        facts = {fact: value for fact, value in given.items() if value is not None}
        audit.append_command("change person", name, at=now, facts=facts)
        announce("access", person.pk)
    return person
