"""Where things lie on disk: the cache, the data folders, and the modes they must have."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from stack.problems import FolderRefused

SYSTEM_STATE = Path("/var/lib/weir")  # for root: a folder that PostgreSQL's account can traverse


def cache_folder(environ: Mapping[str, str]) -> Path:
    """WEIR_CACHE_DIR, else the user's cache folder: jars, page libraries, Kafka's start cache."""
    named = environ.get("WEIR_CACHE_DIR")
    return Path(named).absolute() if named else platformdirs.user_cache_path("weir")


def data_folder(environ: Mapping[str, str], *, instance: str) -> Path:
    """WEIR_DATA_DIR, else `weir/<instance>` in the user's state folder (root: /var/lib/weir)."""
    named = environ.get("WEIR_DATA_DIR")
    if named:
        return Path(named).absolute()
    if os.geteuid() == 0:
        return SYSTEM_STATE / instance
    return platformdirs.user_state_path("weir") / instance


def made_private(folder: Path, *, mode: int = 0o700) -> Path:
    """The folder, made with `mode` or brought to it; FolderRefused when it is not a folder of ours.

    security S66: another account's folder, or a link where a folder should be, is refused, never repaired.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=mode, exist_ok=True)
        info = folder.lstat()
    except OSError as problem:
        raise FolderRefused(
            f"{folder} cannot be made: {problem.strerror}. WEIR_DATA_DIR and WEIR_CACHE_DIR name other places."
        ) from problem
    if not stat.S_ISDIR(info.st_mode):
        raise FolderRefused(f"{folder} is not a folder (a link is not followed). Move it away.")
    if info.st_uid != os.geteuid():
        raise FolderRefused(f"{folder} belongs to another account (uid {info.st_uid}). Name another, or remove it.")
    if info.st_mode & 0o022:
        raise FolderRefused(f"{folder} can be written by other accounts. Mend it (chmod go-w), or name another.")
    if stat.S_IMODE(info.st_mode) != mode:
        folder.chmod(mode)
    return folder


def made_data_folder(folder: Path) -> Path:
    """A folder for data: 0700; as root 0711, because PostgreSQL's account must get to its own sub-folder."""
    if os.geteuid() != 0:
        return made_private(folder)
    if SYSTEM_STATE in folder.parents:
        made_private(SYSTEM_STATE, mode=0o711)
    return made_private(folder, mode=0o711)


def short_name(folder: Path) -> str:
    """A name for what must lie outside `folder` but belongs to it."""
    return hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]


def write_private(path: Path, content: str) -> None:
    """Replace `path` by a 0600 file, at once or not at all."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, path)
