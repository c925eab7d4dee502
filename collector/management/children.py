"""Processes of ours that a command keeps, one a name: started again when they die, ended with it."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 10.0
LIVED_SECONDS = 60.0  # who lived so long did not die of how it was started
STOP_SECONDS = 1.5


@dataclass(slots=True)
class _Child:
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause_seconds: float = 0.0  # before it is started again
    ended: str = ""  # how it ended when it did last


class Children:
    """`command` and `environ` say how the one of a name is started. Its standard input closes when we are gone."""

    def __init__(self, command: Callable[[str], list[str]], environ: Callable[[str], Mapping[str, str]]) -> None:
        self._command = command
        self._environ = environ
        self._children: dict[str, _Child] = {}

    @property
    def trouble(self) -> str | None:
        """Whose process does not stay, as a sentence."""
        away = [f"{name} ({child.ended})" for name, child in sorted(self._children.items()) if child.process is None]
        return f"Ended, and to be started again: {', '.join(away)}." if away else None

    def keep(self, names: Collection[str]) -> None:
        """Exactly these run from now on. Call it again and again: what died since is started anew, ever later."""
        self._stop([name for name in self._children if name not in names])
        for name in names:
            child = self._children.setdefault(name, _Child())
            if child.process is not None and child.process.poll() is not None:
                self._bury(name, child)
            if child.process is None and time.monotonic() >= child.start_at:
                self._start(name, child)

    def stop(self) -> None:
        """End all."""
        self._stop(list(self._children))

    def _start(self, name: str, child: _Child) -> None:
        child.process = subprocess.Popen(  # noqa: S603  our own command
            self._command(name), env=dict(self._environ(name)), stdin=subprocess.PIPE
        )
        child.started_at = time.monotonic()

    def _bury(self, name: str, child: _Child) -> None:
        process, now = child.process, time.monotonic()
        if process is None:
            return
        code = process.returncode
        child.ended = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        child.pause_seconds = pause_after(child.pause_seconds, lived_seconds=now - child.started_at)
        log.warning("the process for %s ended (%s); again in %.1f s", name, child.ended, child.pause_seconds)
        child.start_at = now + child.pause_seconds
        child.process = None
        if process.stdin:
            process.stdin.close()

    def _stop(self, names: Collection[str]) -> None:
        leaving = [child.process for name in names if (child := self._children.pop(name)).process is not None]
        for process in leaving:
            if process.poll() is None:
                process.terminate()
        until = time.monotonic() + STOP_SECONDS
        for process in leaving:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdin:
                process.stdin.close()


def pause_after(pause_seconds: float, *, lived_seconds: float) -> float:
    """Seconds from the end of a process to its next start, from those before it was started last."""
    if lived_seconds > LIVED_SECONDS:
        return 0.0
    return min(max(pause_seconds * 2, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def end_with_parent() -> None:
    """In a child: end in order when standard input closes, which is when the parent is gone, however it went."""

    def watch() -> None:
        while sys.stdin.buffer.read(4_096):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
