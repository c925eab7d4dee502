"""The process environment, read once, typed, with errors that say what to do."""

import os
from collections.abc import Collection, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from dashboard import addresses

_TLS_OPTIONS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey"})

_SHORTEST_SECRET = 6  # shorter ones would blacken ordinary words


class Environment:
    """Typed reads. Every name may also be given as NAME_FILE: a file that holds the value."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._variables = os.environ if variables is None else variables

    def text(self, name: str, default: str | None = None) -> str:
        """The value of `name`. Raises ImproperlyConfigured when it is unset and there is no default."""
        value = self._variables.get(name) or self._from_file(name)
        if value:
            return value
        if default is None:
            raise ImproperlyConfigured(f"{name} is not set. Set it, or {name}_FILE, in the environment.")
        return default

    def number(self, name: str, default: float) -> float:
        """A number. Raises ImproperlyConfigured when the value is not one."""
        value = self.text(name, "")
        try:
            return float(value) if value else default
        except ValueError:
            raise ImproperlyConfigured(f"{name} is {value!r}, which is not a number.") from None

    def port(self, name: str, default: int) -> int:
        """A TCP port. Raises ImproperlyConfigured outside 1 to 65535."""
        value = self.number(name, default)
        if not 1 <= value <= 65535 or value != int(value):
            raise ImproperlyConfigured(f"{name} is {value:g}, which is not a port (1 to 65535).")
        return int(value)

    def port_or_none(self, name: str) -> int:
        """A TCP port, or 0 where it is unset or 0: nothing listens then. Raises ImproperlyConfigured."""
        return 0 if self.number(name, 0) == 0 else self.port(name, 0)

    def switch(self, name: str) -> bool:
        """True for 1, true or yes; False when unset, empty, 0, false or no."""
        value = self.text(name, "").lower()
        if value not in {"", "0", "1", "false", "true", "no", "yes"}:
            raise ImproperlyConfigured(f"{name} is {value!r}. Use 1 or 0.")
        return value in {"1", "true", "yes"}

    def duration(self, name: str, default: str) -> timedelta:
        """A length of time: 15m, 24h, 7d. Raises ImproperlyConfigured for anything else and for zero."""
        value = self.text(name, default)
        units = {"m": "minutes", "h": "hours", "d": "days"}
        number, unit = value[:-1], units.get(value[-1:])
        if unit is None or not (number.isascii() and number.isdigit() and 0 < int(number) <= 100_000):
            raise ImproperlyConfigured(f"{name} is {value!r}. Use a number and m, h or d, such as 7d.")
        return timedelta(**{unit: int(number)})

    def size(self, name: str) -> int:
        """A number of bytes: 500MB, 50GB, 2TB; 0 when unset. Raises ImproperlyConfigured for anything else."""
        value = self.text(name, "")
        units = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
        number, unit = value[:-2], units.get(value[-2:].upper())
        if value and (unit is None or not (number.isascii() and number.isdigit() and 0 < int(number[:9]) <= 10**6)):
            raise ImproperlyConfigured(f"{name} is {value!r}. Use a number and MB, GB or TB, such as 50GB.")
        return int(number) * unit if value and unit else 0

    def words(self, name: str) -> list[str]:
        """A comma-separated list; empty when unset."""
        return [word.strip() for word in self.text(name, "").split(",") if word.strip()]

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """One of `allowed`. Raises ImproperlyConfigured for any other value."""
        value = self.text(name, default)
        if value not in allowed:
            raise ImproperlyConfigured(f"{name} is {value!r}. Use one of: {', '.join(allowed)}.")
        return value

    def address(self, name: str, default: str) -> str:
        """An IP address to bind. Raises ImproperlyConfigured for a name, which could resolve to anything."""
        value = self.text(name, default)
        if addresses.address(value) is None:
            raise ImproperlyConfigured(f"{name} is {value!r}. Use an IP address such as 127.0.0.1 or ::1.")
        return value.strip("[]")

    def networks(self, name: str) -> list[addresses.Network]:
        """A comma-separated list of addresses and networks. Raises ImproperlyConfigured."""
        try:
            return [addresses.network(word) for word in self.words(name)]
        except ValueError:
            raise ImproperlyConfigured(f"{name} takes addresses and networks such as 10.0.0.0/8.") from None

    def web_url(self, name: str, default: str) -> str:
        """An http or https URL without path. Raises ImproperlyConfigured."""
        value = self.text(name, default).rstrip("/")
        try:
            url = urlsplit(value)
            whole = url.scheme in {"http", "https"} and url.hostname and (url.port is None or url.port > 0)
        except ValueError:
            whole = False
        if not whole or url.path or url.query or url.fragment or url.username is not None:
            raise ImproperlyConfigured(f"{name} is {value!r}. Use https://host or http://host:port, without a path.")
        return value

    def folder(self, name: str, default: Path) -> Path:
        """A folder as an absolute path."""
        return Path(self.text(name, str(default))).expanduser().absolute()

    def folder_or_none(self, name: str) -> Path | None:
        """A folder as an absolute path; None when it is unset."""
        return self.folder(name, Path("/")) if self.text(name, "") else None

    def database(self, name: str) -> dict[str, Any]:
        """Django's database settings from a postgresql:// URL; of its query only what TLS needs is taken."""
        url = urlsplit(self.text(name, "postgresql://weir@127.0.0.1:5432/weir"))
        if url.scheme not in {"postgresql", "postgres"}:
            raise ImproperlyConfigured(f"{name} must be postgresql://user:password@host:port/name.")
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": unquote(url.path.lstrip("/")),
            "USER": unquote(url.username or ""),
            "PASSWORD": unquote(url.password or ""),
            "HOST": url.hostname or "",
            "PORT": str(url.port or ""),
            "OPTIONS": {key: value for key, value in parse_qsl(url.query) if key in _TLS_OPTIONS},
        }

    def secrets(self) -> list[str]:
        """Every value that must never reach a log: of names that say so, and passwords inside URLs."""
        found = []
        for name in {key.removesuffix("_FILE") for key in self._variables}:
            if name.endswith(("PASSWORD", "SECRET_KEY", "TOKEN", "TLS_KEY")) or name.startswith("WEIR_SECRET_"):
                found.append(self.text(name, ""))
            elif name.endswith("_URL"):
                found.append(unquote(urlsplit(self.text(name, "")).password or ""))
        return [value for value in found if len(value) >= _SHORTEST_SECRET]

    def _from_file(self, name: str) -> str:
        path = self._variables.get(f"{name}_FILE")
        if not path:
            return ""
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from None
