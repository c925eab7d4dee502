"""The embedded PostgreSQL 18: its files, its process, its first database."""

import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
from psycopg import sql

from stack import accounts, places, postgres_programs
from stack.accounts import Account
from stack.part import Part
from stack.ports import LOOPBACK
from stack.processes import wait_while_zombie
from stack.secret_files import kept_secret

DATABASE = "weir"
MB = 1 << 20
OWNER = "weir"  # owns the database, is no superuser
SUPERUSER = "postgres"
NOTABLE = r"\b(WARNING|ERROR|FATAL|PANIC|error):"
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may have 107 bytes, ours may be longer
    "max_connections": "100",
    "shared_buffers": "128MB",  # the least; see buffers()
    "max_wal_size": "2GB",
    "wal_compression": "pglz",  # the embedded build has neither lz4 nor zstd
    "checkpoint_timeout": "15min",
    "max_locks_per_transaction": "256",  # one event's path locks three tables' partitions with their indexes
    "autovacuum_naptime": "15s",
    "jit": "off",
    "idle_in_transaction_session_timeout": "30s",
    "password_encryption": "scram-sha-256",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """Where one embedded PostgreSQL lies and listens."""

    state: Path  # ours: marker, passwords
    folder: Path  # the server's data, belongs to its account
    programs: Path
    port: int
    account: Account | None
    settings: Mapping[str, str]
    owner_may: tuple[LiteralString, ...]  # role attributes of the database's owner beyond login

    @property
    def url(self) -> str:
        """Address with the password of the database's owner."""
        return f"postgresql://{OWNER}:{self._password(OWNER)}@{LOOPBACK}:{self.port}/{DATABASE}"

    def _password(self, role: str) -> str:
        return kept_secret(self.state / f"{role}.password")

    @property
    def _marker(self) -> Path:
        return self.state / "initialised"  # PG_VERSION alone also survives an initdb that was killed

    def parts(self, *, env: Mapping[str, str]) -> tuple[Part, ...]:
        """`postgres`, preceded by `postgres-init` where there is no database yet."""
        if self._marker.exists() and (self.folder / "PG_VERSION").exists():
            return (self._server(env, after=()),)
        return (self._init(env), self._server(env, after=("postgres-init",)))

    def _init(self, env: Mapping[str, str]) -> Part:
        password_file = self.folder.parent / f".{self.folder.name}.password"

        def prepare() -> None:
            self._marker.unlink(missing_ok=True)
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(mode=0o700)
            places.write_private(password_file, self._password(SUPERUSER))
            if self.account:
                os.chown(self.folder, self.account.uid, self.account.gid)
                os.chown(password_file, self.account.uid, self.account.gid)

        def settle() -> None:
            password_file.unlink()

        return Part(
            name="postgres-init",
            argv=(
                str(self.programs / "bin" / "initdb"),
                f"--pgdata={self.folder}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-instructions",
            ),
            env=env,
            cwd=Path("/"),
            account=self.account,
            once=True,
            notable=NOTABLE,
            prepare=prepare,
            settle=settle,
        )

    def _server(self, env: Mapping[str, str], *, after: tuple[str, ...]) -> Part:
        settings = {**SETTINGS, **self.settings, "port": str(self.port)}
        options = tuple(option for name, value in settings.items() for option in ("-c", f"{name}={value}"))
        return Part(
            name="postgres",
            argv=(str(self.programs / "bin" / "postgres"), "-D", str(self.folder), *options),
            env=env,
            cwd=Path("/"),
            account=self.account,
            after=after,
            notable=NOTABLE,
            stop_signal=signal.SIGINT,  # "fast": ends sessions and writes a checkpoint
            prepare=self._clear_lock_of_the_dead,
            ready=self._serves,
            settle=self._make_database,
        )

    def _clear_lock_of_the_dead(self) -> None:
        """Remove a postmaster.pid whose process is gone, or is another program that got its number."""
        lock = self.folder / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        wait_while_zombie(pid)
        try:
            if psutil.Process(pid).name() == "postgres":
                return
        except psutil.Error:
            pass
        lock.unlink(missing_ok=True)

    def _serves(self, pid: int) -> bool:
        """Line 1 of postmaster.pid is our child, line 8 `ready`, and the password of *this* cluster opens it."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        if len(lines) < 8 or lines[0] != str(pid) or lines[7].strip() != "ready":
            return False
        try:
            with self._connection("postgres") as connection:
                connection.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _connection(self, database: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._password(SUPERUSER),
            dbname=database,
            connect_timeout=3,
            autocommit=True,
        )

    def _make_database(self) -> None:
        """Role, database and pg_trgm, each only where missing; then the marker."""
        if self._marker.exists():
            return
        owner, database = sql.Identifier(OWNER), sql.Identifier(DATABASE)
        with self._connection("postgres") as connection:
            if not connection.execute("select 1 from pg_roles where rolname = %s", [OWNER]).fetchone():
                connection.execute(sql.SQL("create role {} login").format(owner))
            connection.execute(sql.SQL("alter role {} password {}").format(owner, self._password(OWNER)))
            for right in self.owner_may:
                connection.execute(sql.SQL("alter role {} {}").format(owner, sql.SQL(right)))
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(sql.SQL("create database {} owner {}").format(database, owner))
        with self._connection(DATABASE) as connection:
            connection.execute("create extension if not exists pg_trgm")
        self._marker.touch(mode=0o600)


def embedded(
    state: Path, *, port: int, settings: Mapping[str, str] | None = None, owner_may: tuple[LiteralString, ...] = ()
) -> Postgres:
    """The PostgreSQL whose files belong to the folder `state` (made here, private)."""
    places.made_data_folder(state)
    account = accounts.for_postgres()
    programs = postgres_programs.installed()
    home = state
    if account and not accounts.reaches(account, state / "data"):
        home = places.made_data_folder(postgres_programs.made_system_folder() / f"pg-{places.short_name(state)}")
    if account and not accounts.reaches(account, programs / "bin" / "postgres"):
        programs = postgres_programs.copied(programs)
    return Postgres(
        state=state,
        folder=home / "data",
        programs=programs,
        port=port,
        account=account,
        settings=settings or {},
        owner_may=owner_may,
    )


def buffers(memory: int) -> str:
    """`shared_buffers` where Postgres shares `memory` bytes with Weir and its Kafka: a sixteenth, 128 MB to 1 GB.

    The indexes of the newest leaves are written at random: what does not fit is read and written over and over.
    """
    return f"{min(max(memory // 16, 128 * MB), 1024 * MB) // MB}MB"


def remove_outside(state: Path) -> None:
    """Remove what lies outside `state` because PostgreSQL's account could not reach it."""
    shutil.rmtree(places.SYSTEM_STATE / f"pg-{places.short_name(state)}", ignore_errors=True)
