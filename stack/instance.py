"""One running stack per data folder: the lock, and what a killed supervisor left behind."""

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from stack import places, postgres
from stack.problems import AlreadyRunning, FolderRefused, NotRunning
from stack.processes import machine, sweep

MARKER = "weir.lock"  # its presence says: this folder is Weir's
CHILDREN = "children.json"
NAME_SECONDS = 2.0


def opened_folder(folder: Path, *, name: str) -> Path:
    """The data folder, made or checked; FolderRefused when it holds something else than this instance's data."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise FolderRefused(f"{folder} is not empty and is no data folder of Weir. Name an empty one in WEIR_DATA_DIR.")
    places.made_data_folder(folder)
    label = folder / "instance"
    if not label.exists():
        places.write_private(label, name)
    if label.read_text(encoding="utf-8") != name:
        raise FolderRefused(
            f"{folder} holds the data of `make {label.read_text(encoding='utf-8')}`, not of `make {name}`. "
            "Name another folder in WEIR_DATA_DIR."
        )
    return folder


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder for this process; AlreadyRunning names the process that does."""
    try:
        descriptor = os.open(folder / MARKER, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as problem:
        raise FolderRefused(
            f"{folder / MARKER} cannot be opened: {problem.strerror} (a link is not followed)."
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(descriptor, 20).decode().strip()
            raise AlreadyRunning(
                f"Weir is already running with the data in {folder} (pid {pid}). Stop it with Ctrl-C where it runs, "
                f"or `kill {pid}`. WEIR_DATA_DIR names another folder for a second one."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def holder(folder: Path) -> int:
    """The pid of the supervisor that runs in this folder; NotRunning when none does."""
    try:
        descriptor = os.open(folder / MARKER, os.O_RDWR | os.O_NOFOLLOW)
    except OSError:
        raise NotRunning(f"No stack runs in {folder}.") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named_in(descriptor, folder)
    finally:
        os.close(descriptor)
    raise NotRunning(f"No stack runs in {folder}.")


def _named_in(descriptor: int, folder: Path) -> int:
    """The pid that the holder wrote, or is about to write. Never 0, which would mean all of our own group."""
    until = time.monotonic() + NAME_SECONDS
    while time.monotonic() < until:
        if (found := os.pread(descriptor, 20, 0).decode().strip()).isdigit() and int(found):
            return int(found)
        time.sleep(0.02)
    raise NotRunning(f"A stack is just starting or ending in {folder}.")


def wait_until_free(folder: Path, *, seconds: float) -> bool:
    """True when the folder's supervisor ended within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            holder(folder)
        except NotRunning:
            return True
        time.sleep(0.1)
    return False


def remember_children(folder: Path, children: Mapping[str, tuple[int, float]]) -> None:
    """Write down {part: (pid, made at)} for the next start."""
    places.write_private(folder / CHILDREN, json.dumps({"machine": machine(), "children": children}))


def end_leftovers(folder: Path) -> int:
    """End the children a killed supervisor left; the number that had to be killed."""
    try:
        left = json.loads((folder / CHILDREN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return 0
    if left.get("machine") != machine():
        return 0  # they died with it, and their numbers may be anybody's now
    return sweep([(int(pid), float(created_at)) for pid, created_at in left["children"].values()])


def removed(folder: Path) -> bool:
    """Remove the data folder and what lies outside it; False when there is none. The caller stopped it before."""
    if not (folder / MARKER).exists():
        return False
    end_leftovers(folder)
    postgres.remove_outside(folder / "pg")
    shutil.rmtree(folder)
    return True
