"""The account PostgreSQL runs under when we are root, and what that account can reach."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

from stack.problems import CannotStart


@dataclass(frozen=True)
class Account:
    """Another account's numbers, to start a process under."""

    uid: int
    gid: int


def for_postgres() -> Account | None:
    """None when we are an ordinary account; as root `nobody`, because PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStart(
            "PostgreSQL refuses to run as root, and this machine has no account `nobody` to run it under. "
            "Start Weir from an ordinary account."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def reaches(account: Account, path: Path) -> bool:
    """True when the account may traverse every folder above `path` (itself excluded)."""
    return all(_may_pass(account, parent) for parent in path.absolute().parents if parent.exists())


def _may_pass(account: Account, folder: Path) -> bool:
    info = folder.stat()
    if info.st_uid == account.uid:
        return bool(info.st_mode & stat.S_IXUSR)
    if info.st_gid == account.gid:
        return bool(info.st_mode & stat.S_IXGRP)
    return bool(info.st_mode & stat.S_IXOTH)
