"""Secrets that are made once and kept in 0600 files."""

import os
import secrets
import stat
from pathlib import Path

from stack.places import write_private
from stack.problems import FolderRefused

SECRET_BYTES = 32  # 256 bits


def kept_secret(path: Path) -> str:
    """The secret in `path`, made there on the first call; FolderRefused when others could read or write it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        fresh = secrets.token_urlsafe(SECRET_BYTES)
        write_private(path, fresh)
        return fresh
    except OSError as problem:
        raise FolderRefused(f"{path} cannot be read: {problem.strerror} (a link is not followed).") from problem
    with open(descriptor, encoding="utf-8") as file:
        info = os.fstat(file.fileno())
        if info.st_uid != os.geteuid() or stat.S_IMODE(info.st_mode) & 0o077:
            raise FolderRefused(f"{path} can be read by other accounts. Remove it: a new secret is made.")
        return file.read().strip()
