"""Scripts, styles and pictures: named by their content, collected at start, served before Django is asked."""

import asyncio
import fcntl
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.core.management import call_command
from whitenoise.base import WhiteNoise
from whitenoise.storage import CompressedManifestStaticFilesStorage

if TYPE_CHECKING:
    from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
_HASH_LENGTH = 12  # of Django's manifest storage
_SMALL_BYTES = 64 * 1024  # read at once: a page brings dozens of files, and handing one to a thread takes longer


class PageFiles(CompressedManifestStaticFilesStorage):
    """Hashed names where files were collected, plain ones in a checkout that has not been served yet (tests)."""

    def url(self, name: str | None, force: bool = False) -> str:  # noqa: FBT001, FBT002 - Django's signature
        """The address of the file `name`; plain when the manifest does not know it, which the browser answers."""
        if name is None or self.hash_key(self.clean_name(urlsplit(name).path)) not in self.hashed_files:
            return StaticFilesStorage.url(self, name)
        return str(super().url(name, force))


def collect() -> None:
    """Bring STATIC_ROOT up to date; two processes on one data folder take turns."""
    root = Path(settings.STATIC_ROOT)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (root.parent / "static.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        call_command("collectstatic", interactive=False, verbosity=0)


class StaticFiles:
    """ASGI layer that answers addresses below /static/ and hands on all others."""

    def __init__(self, application: "ASGI3Application") -> None:
        self._application = application
        self._files = WhiteNoise(None, allow_all_origins=False, immutable_file_test=_is_hashed)
        self._files.add_files(str(settings.STATIC_ROOT), prefix=settings.STATIC_URL)

    async def __call__(self, scope: "Scope", receive: "ASGIReceiveCallable", send: "ASGISendCallable") -> None:
        """Answer from the files found at start; what is not there is Django's 404."""
        found = self._files.files.get(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        asked = {_environ_name(name): value.decode("latin-1") for name, value in scope["headers"]}
        response = found.get_response(scope["method"], asked)
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in response.headers]
        is_small = int(dict(response.headers).get("Content-Length", 0)) <= _SMALL_BYTES
        body = _read(response.file) if is_small else await asyncio.to_thread(_read, response.file)
        status = HTTPStatus(response.status).value
        await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _environ_name(header: bytes) -> str:
    return f"HTTP_{header.decode('latin-1').upper().replace('-', '_')}"


def _is_hashed(_path: str, url: str) -> bool:
    """`main.3f7a9c01b2d4.js` never changes."""
    parts = url.rsplit("/", 1)[-1].split(".")
    return len(parts) > 2 and len(parts[-2]) == _HASH_LENGTH and set(parts[-2]) <= set("0123456789abcdef")


def _read(file: BinaryIO | None) -> bytes:
    if file is None:
        return b""
    with file:
        return bytes(file.read())
