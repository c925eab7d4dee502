"""The process environment, read once, typed, with errors that say what to do."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


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

    def switch(self, name: str) -> bool:
        """True for 1, true or yes; False when unset, empty, 0, false or no."""
        value = self.text(name, "").lower()
        if value not in {"", "0", "1", "false", "true", "no", "yes"}:
            raise ImproperlyConfigured(f"{name} is {value!r}. Use 1 or 0.")
        return value in {"1", "true", "yes"}

    def words(self, name: str) -> list[str]:
        """A comma-separated list; empty when unset."""
        return [word.strip() for word in self.text(name, "").split(",") if word.strip()]

    def database(self, name: str) -> dict[str, object]:
        """Django's database settings from a postgresql:// URL."""
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
        }

    def _from_file(self, name: str) -> str:
        path = self._variables.get(f"{name}_FILE")
        if not path:
            return ""
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {error.strerror}.") from None
