"""Children: a session of their own, dead when we die, stopped as a group."""

import ctypes
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import IO

import psutil

from stack.part import Part

PR_SET_PDEATHSIG = 1


def spawned(part: Part, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start a part: own session, own log, closed stdin, only its own environment, umask 077.

    Call it from the main thread: the kernel's parent-death signal fires when the *thread* that spawned ends.
    """
    with warnings.catch_warnings():
        # Python 3.12 warns of fork beside threads; what runs between fork and exec here takes no lock
        warnings.simplefilter("ignore", DeprecationWarning)
        process = _popen(part, log)
    if process.stdin:
        with process.stdin as pipe:
            pipe.write(part.stdin)
    return process


def _popen(part: Part, log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        part.argv,
        cwd=part.cwd,
        env=dict(part.env),
        stdin=subprocess.PIPE if part.stdin else subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        umask=0o077,
        user=part.account.uid if part.account else None,
        group=part.account.gid if part.account else None,
        extra_groups=[] if part.account else None,
        preexec_fn=_dies_with_us(part.stop_signal, part.niceness),  # noqa: PLW1509  (see above)
    )


def _dies_with_us(with_signal: int, niceness: int) -> Callable[[], None]:
    """What the child does before exec: ask for the signal at our death (Linux; set after setuid, which clears it)."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    parent = os.getpid()

    def in_child() -> None:
        if niceness:
            os.nice(niceness)
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return in_child


def signal_group(pid: int, number: int) -> None:
    """Send to the whole group a child leads; nothing when it is gone."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
    except PermissionError:  # macOS answers so for a group of zombies
        return


def group_members(leader: int) -> list[psutil.Process]:
    """The living processes of the session that `leader` was started as."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def machine() -> str:
    """Names this boot and, in a container, its own count of processes: elsewhere a number is another process."""
    if sys.platform != "linux":
        return sys.platform
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"


def is_running(pid: int, created_at: float) -> bool:
    """True when `pid` still is the process made at `created_at` (seconds since 1970) and is no zombie."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - created_at) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def wait_while_zombie(pid: int, *, seconds: float = 5.0) -> None:
    """Wait until a dead process is reaped: where pid 1 is slow, servers take it for a living one."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return
        except psutil.Error:
            return
        time.sleep(0.05)


def sweep(leaders: list[tuple[int, float]], *, grace_seconds: float = 6.0) -> int:
    """End what an earlier supervisor left: (pid, created_at) of its children. The number that had to be killed.

    On Linux they were told to stop when their parent died, elsewhere this tells them; then it waits, then kills.
    """
    if sys.platform != "linux":
        for pid, created_at in leaders:
            if is_running(pid, created_at):
                signal_group(pid, signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    alive = leaders
    while alive and time.monotonic() < until:
        alive = [(pid, created_at) for pid, created_at in alive if is_running(pid, created_at)]
        if alive:
            time.sleep(0.05)
    for pid, _ in alive:
        signal_group(pid, signal.SIGKILL)
    strays = [member for pid, _ in leaders if not psutil.pid_exists(pid) for member in group_members(pid)]
    for stray in strays:
        signal_group(stray.pid, signal.SIGKILL)
        stray.kill()
    return len(alive) + len(strays)


def readable_exit(returncode: int) -> str:
    """`exit 1` or `SIGKILL`."""
    if returncode >= 0:
        return f"exit {returncode}"
    try:
        return signal.Signals(-returncode).name
    except ValueError:
        return f"signal {-returncode}"


def log_tail(path: Path, *, lines: int = 12) -> str:
    """The last lines of a log file, raw."""
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
