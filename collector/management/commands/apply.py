"""`manage.py apply weir.toml`: clusters, inputs, taps, drop and mask rules from a file into Weir."""

import getpass
import os
import re
import tomllib
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from collector import audit, clock
from collector.config import declared
from collector.config.declared import Change
from collector.config.document import Document, read
from collector.config.tables import Problem

MOST_BYTES = 1_000_000
_HEADER = re.compile(r"\s*(\[[^\[\]]+\])\s*(?:#.*)?")
_KEY = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"([^"]+)")\s*=""")


class Command(BaseCommand):
    """The file is the whole of what is declared: what is not in it any more is taken out."""

    help = "Apply a settings file. Twice is as good as once; --check shows what would change."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, and whether it is only looked at."""
        parser.add_argument("file", type=Path)
        parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 where something would")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises CommandError with every problem of the file, or where --check found a difference."""
        file = Path(str(options["file"]))
        body, document = _read(file)
        if options["check"]:
            changes = declared.difference(declared.body(), body)
            self._show(changes)
            if changes:
                raise CommandError(f"{file.name} differs in {_counted(changes)}. Nothing was changed.", returncode=1)
            return
        person, at = f"command line ({_account()})", clock.now()
        with transaction.atomic():
            changes = declared.replace(body, by=person, now=at)
            if changes:
                audit.append(
                    at=at,
                    person_id=None,
                    person_name=person,
                    action="apply settings",
                    object=file.name,
                    result="done",
                    facts={"changes": [f"{change.sign}{change.table}" for change in changes]},
                )
        self._show(changes)
        for line in (*_unset(document), *_unparted(document)):
            self.stdout.write(line)

    def _show(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for line in change.lines:
                self.stdout.write(line)
        if not changes:
            self.stdout.write("Nothing to change.")


def _read(file: Path) -> tuple[dict[str, Any], Document]:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
    try:
        text = raw[: MOST_BYTES + 1].decode()
        body = tomllib.loads(text)
    except UnicodeDecodeError:
        raise CommandError(f"{file.name} is no UTF-8 text.") from None
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{file.name} is no TOML: {error}.") from None
    except RecursionError:
        raise CommandError(f"{file.name} is nested too deep.") from None
    if len(raw) > MOST_BYTES:
        raise CommandError(f"{file.name} has over {MOST_BYTES:,} bytes.")
    document, problems = read(body)
    if problems:
        lines = _lines(text)
        raise CommandError("\n".join(_located(file, problem, lines) for problem in problems))
    return body, document


def _lines(text: str) -> dict[tuple[str, ...], int]:
    """Where each table and key stands, as far as a line by itself tells; the last one counts."""
    found: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.fullmatch(line):
            table = _path(header[1]) or table
            found[table] = number
        elif key := _KEY.match(line):
            found[(*table, key[1] or key[2])] = number
    return found


def _path(header: str) -> tuple[str, ...]:
    try:
        inner: Any = tomllib.loads(header)
    except tomllib.TOMLDecodeError:
        return ()
    path = []
    while inner:
        ((name, inner),) = inner.items()
        path.append(name)
    return tuple(path)


def _located(file: Path, problem: Problem, lines: dict[tuple[str, ...], int]) -> str:
    near = next(
        (lines[problem.where[:n]] for n in range(len(problem.where), 0, -1) if problem.where[:n] in lines), None
    )
    place = f"{file.name}:{near}" if near else file.name
    return f"{place}: {problem.key} {problem.sentence}."


def _counted(changes: Sequence[Change]) -> str:
    return f"{len(changes)} table{'s' if len(changes) > 1 else ''}"


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _unset(document: Document) -> list[str]:
    """Secrets that this environment does not have: where the collector runs, it must."""
    names = {each.removeprefix("env:") for one in document.clusters.values() for each in one.references}
    return [
        f"Note: {name} is not set here. Collector, sampler and worker need it in their environment."
        for name in sorted(names)
        if name.startswith("WEIR_SECRET_") and not (os.environ.get(name) or os.environ.get(f"{name}_FILE"))
    ]


def _unparted(document: Document) -> list[str]:
    """Clusters whose retries are sent as the user that reads: a check at the start knows only the environment's."""
    of_environment = settings.WEIR_RETRY_USERNAME or settings.WEIR_RETRY_TLS_CERT
    is_only = len(document.clusters) < 2  # then what the environment says of that user is for this one
    return [
        f"weir.W210: Retries to {name} are sent as the Kafka user that reads. Name retry_username or retry_certificate;"
        " who reads then needs no right to write."
        for name, each in sorted(document.clusters.items())
        if each.sends_as_it_reads and not (is_only and of_environment)
    ]
