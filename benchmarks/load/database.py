"""A real Postgres with Weir's tables, and this process as Django on it."""

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import django

from stack.testing import servers


@contextmanager
def database(folder: Path, *, store_settings: Mapping[str, str] | None = None) -> Iterator[None]:
    """An empty database; gone at the end. `store_settings`: of Postgres."""
    folder.chmod(0o755)
    with servers(folder, kafka=False, valkey=False, store_settings=store_settings) as started:
        os.environ |= {
            "DATABASE_URL": started.database_url,
            "SECRET_KEY": secrets.token_urlsafe(48),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("alter database weir set synchronous_commit = on")  # as in production
        connection.close()
        yield
        connection.close()
