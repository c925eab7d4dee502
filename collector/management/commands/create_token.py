"""`manage.py create_token NAME …`: a bearer token for the API, or for a sender of spans; shown once."""

import os
import secrets
from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from collector import audit
from collector.clock import now
from collector.config import tokens

_SCOPES = {
    "viewer": {"read"},
    "operator": {"read", "payload", "retry"},
    "admin": {"read", "payload", "export", "retry", "admin"},
}


class Command(BaseCommand):
    """The token acts under NAME, who is made without a password when there is nobody of that name."""

    help = "Create a bearer token for the API. It is printed once; only its hash is kept."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose token, with which rights, for how long, and where it goes."""
        parser.add_argument("name")
        parser.add_argument("--kind", choices=("api", "ingest"), default="api", help="ingest: for a sender of spans")
        parser.add_argument("--role", choices=sorted(_SCOPES), default="viewer")
        parser.add_argument("--days", type=int, help="until it ends")
        parser.add_argument("--cluster", help="ingest: the cluster of spans that name none themselves")
        parser.add_argument("--file", type=Path, help="write the token there, readable by this account only")
        parser.add_argument("--if-missing", action="store_true", help="keep a token in FILE that still works")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises CommandError when NAME is known under another role."""
        file = options["file"] if isinstance(options["file"], Path) else None
        if file and options["if_missing"] and _still_works(file):
            return
        try:
            days = options["days"] if isinstance(options["days"], int) else None
            if options["kind"] == "ingest":
                text = _made_for_sender(str(options["name"]), days, str(options["cluster"] or ""))
            else:
                text = _made(str(options["name"]), str(options["role"]), days)
        except (tokens.NotAToken, tokens.NoSuchCluster) as error:
            raise CommandError(str(error)) from None
        if file:
            _write(file, text)
        else:
            self.stdout.write(text)


def _made(name: str, role: str, days: int | None) -> str:
    people = get_user_model().objects
    at = now()
    with transaction.atomic():
        owner, _ = people.get_or_create(
            name=name, defaults={"role": role, "password": make_password(None), "created_at": at}
        )
        if owner.role != role:
            raise CommandError(f"{name} has the role {owner.role}. Use it, or another name.")
        text = tokens.mint("api", name, person_id=owner.pk, scopes=_SCOPES[role], now=at, days=days)
        _record(name, {"role": role, "days": days, "token": text.split("_")[2]}, at)
    return text


def _made_for_sender(name: str, days: int | None, cluster: str) -> str:
    at = now()
    with transaction.atomic():
        text = tokens.mint("ingest", name, person_id=None, scopes={"ingest"}, now=at, days=days, cluster=cluster)
        facts: dict[str, object] = {"kind": "ingest", "days": days, "token": text.split("_")[2]}
        _record(name, facts | ({"cluster": cluster} if cluster else {}), at)
    return text


def _record(name: str, facts: dict[str, object], at: datetime) -> None:
    audit.append_command("create token", name, at=at, facts=facts)


def _still_works(file: Path) -> bool:
    try:
        text = file.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return False
    return tokens.find(text, now()) is not None


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        opened.write(f"{text}\n")
    draft.replace(file)
