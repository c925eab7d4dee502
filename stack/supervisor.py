"""Runs parts: in order, each after those it needs; restarts what dies; stops in reverse, leaving no process."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from stack.life import Life, State, pause_seconds
from stack.logs import Follower, colour_of, opened_log, prefixed
from stack.part import Part, levels
from stack.problems import PartFailed
from stack.processes import group_members, log_tail, readable_exit, signal_group, spawned

TRIES_BEFORE_FIRST_READY = 3
STEADY_SECONDS = 30.0  # a part that ran this long has its earlier deaths forgotten
QUICK_LOOK_SECONDS = 0.03
STOP_SECONDS = 9.0  # all of it; a part that is slower is killed


@dataclass
class Supervisor:
    """Runs `parts` with one log file each in `logs`.

    `say` gets a sentence for the person, `echo` a line of a part's log, `changed` is called after each birth
    or death. Call everything from the main thread (see processes.spawned).
    """

    parts: tuple[Part, ...]
    logs: Path
    say: Callable[[str], None]
    echo: Callable[[str], None] | None = None
    coloured: bool = False
    changed: Callable[["Supervisor"], None] = field(default=lambda _: None, repr=False)

    def __post_init__(self) -> None:
        self._levels = levels(self.parts)
        self.lives = {part.name: Life(part, Follower(self.logs / f"{part.name}.log")) for part in self.parts}
        self._width = max((len(part.name) for part in self.parts), default=0)

    # -- the loop's unit

    def tick(self) -> None:
        """Look at every part once and do what is due; PartFailed when one cannot be brought up at all."""
        now = time.monotonic()
        for life in self.lives.values():
            self._look_at(life, now)
        self._echo_all()

    def is_up(self) -> bool:
        """True when every part is ready, done or stopped; optional ones do not count."""
        settled = (State.READY, State.DONE, State.STOPPED)
        return all(life.state in settled for life in self.lives.values() if not life.part.optional)

    def start(self, *, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Tick until all is up; False when it no longer is `wanted`."""
        while wanted():
            self.tick()
            if self.is_up():
                return True
            time.sleep(QUICK_LOOK_SECONDS)
        return False

    def _look_at(self, life: Life, now: float) -> None:
        if life.process is not None and life.process.poll() is not None:
            self._ended(life, life.process.returncode, now)
        elif life.state is State.STARTING:
            self._look_at_starting(life, now)
        elif (life.state is State.WAITING and self._may_start(life)) or (
            life.state is State.RESTING and now >= life.due_at
        ):
            self._spawn(life)

    def _may_start(self, life: Life) -> bool:
        return all(self.lives[name].state in (State.READY, State.DONE) for name in life.part.after)

    def _spawn(self, life: Life) -> None:
        try:
            life.part.prepare()
            life.follower.skip_to_end()
            with opened_log(life.follower.path) as log:
                if log.tell() == 0:
                    life.follower.position = 0
                life.process = spawned(life.part, log)
        except OSError as problem:  # a full disk, too many processes: no reason to take the other parts down
            self._not_spawned(life, problem)
            return
        life.created_at = time.time()
        life.spawned_at = time.monotonic()
        life.state = State.STARTING
        self.changed(self)

    def _not_spawned(self, life: Life, problem: OSError) -> None:
        life.failures += 1
        what = f"{life.part.name} could not be started ({problem})"
        if not life.was_ready and life.failures >= TRIES_BEFORE_FIRST_READY:
            raise PartFailed(f"{what}.")
        pause = pause_seconds(life.failures)
        life.state, life.due_at = State.RESTING, time.monotonic() + pause
        self.say(f"{what}; trying again in {pause:.1f} s")
        self.changed(self)

    def _look_at_starting(self, life: Life, now: float) -> None:
        if life.pid is None or life.part.once:
            if life.part.once and now - life.spawned_at > life.part.start_seconds:
                self._too_slow(life)
            return
        if life.part.ready(life.pid):
            if not life.was_ready:
                life.part.settle()
            life.state, life.was_ready = State.READY, True
            self.say(f"{life.part.name} is ready")
            self.changed(self)
        elif now - life.spawned_at > life.part.start_seconds:
            self._too_slow(life)

    def _too_slow(self, life: Life) -> None:
        self.say(f"{life.part.name} was not ready within {life.part.start_seconds:.0f} s; ending it")
        life.state = State.ENDING
        if life.pid is not None:
            signal_group(life.pid, signal.SIGKILL)

    # -- ends

    def _ended(self, life: Life, returncode: int, now: float) -> None:
        if life.process is not None:
            signal_group(life.process.pid, signal.SIGKILL)  # what it may have left in its session
        life.process = None
        if life.state is State.STOPPED:
            pass
        elif life.part.once and returncode == 0:
            life.part.settle()
            life.state = State.DONE
            self.say(f"{life.part.name} is done")
        else:
            self._failed(life, returncode, now)
        self.changed(self)

    def _failed(self, life: Life, returncode: int, now: float) -> None:
        life.failures = 1 if now - life.spawned_at > STEADY_SECONDS else life.failures + 1
        what = f"{life.part.name} ended ({readable_exit(returncode)})"
        if life.part.optional and life.part.once:
            life.state = State.FAILED
            self.say(f"{what}; Weir runs without it")
            return
        if not life.was_ready and (life.part.once or life.failures >= TRIES_BEFORE_FIRST_READY):
            self._echo_all()
            raise PartFailed(
                f"{what} before it was ready. Its log, {life.follower.path}, ends with:\n{self._tail(life)}"
            )
        pause = pause_seconds(life.failures)
        life.state, life.due_at = State.RESTING, now + pause
        self.say(f"{what}; starting it again in {pause:.1f} s")

    def _tail(self, life: Life) -> str:
        tail = Follower(life.follower.path)
        return "\n".join(f"    {line}" for line in [*tail.lines()][-12:]) or f"    {log_tail(life.follower.path)}"

    # -- asked for by a person

    def stop_part(self, name: str) -> None:
        """Stop one part and keep it stopped."""
        life = self.lives[name]
        life.state = State.STOPPED
        self._stop_together([life], deadline=time.monotonic() + life.part.stop_seconds)
        self.say(f"{name} is stopped")

    def start_part(self, name: str) -> None:
        """Start a stopped part, or one that waits for its next try."""
        life = self.lives[name]
        if life.state in (State.STOPPED, State.RESTING, State.FAILED):
            life.failures = 0
            self._spawn(life)

    def kill_part(self, name: str) -> None:
        """SIGKILL to one part; it is started again like any part that died."""
        pid = self.lives[name].pid
        if pid is not None:
            signal_group(pid, signal.SIGKILL)

    # -- the end

    def stop(self, *, hurry: Callable[[], bool] = lambda: False, within: float = STOP_SECONDS) -> None:
        """Stop all in reverse order within these seconds; at once when `hurry` turns true."""
        latest = time.monotonic() + within
        for group in reversed(self._levels):
            lives = [self.lives[part.name] for part in group]
            for life in lives:
                life.state = State.STOPPED
            budget = max(part.stop_seconds for part in group)
            self._stop_together(lives, deadline=min(latest, time.monotonic() + budget), hurry=hurry)
        self._echo_all()

    def _stop_together(self, lives: list[Life], *, deadline: float, hurry: Callable[[], bool] = lambda: False) -> None:
        for life in lives:
            if life.process is not None and life.process.poll() is None:
                life.process.send_signal(life.part.stop_signal)
        while time.monotonic() < deadline and not hurry() and any(self._lives_on(life) for life in lives):
            self._echo_all()
            time.sleep(QUICK_LOOK_SECONDS)
        for life in lives:
            if life.process is None:
                continue
            if life.process.poll() is None:
                self.say(f"{life.part.name} did not stop in time; killing it")
            self._kill_group(life.process)
            life.process = None
        self.changed(self)

    def _lives_on(self, life: Life) -> bool:
        return life.process is not None and life.process.poll() is None

    def _kill_group(self, process: subprocess.Popen[bytes]) -> None:
        """The rest of its session, which may have outlived it; then its own exit is taken."""
        signal_group(process.pid, signal.SIGKILL)
        process.wait()
        psutil.wait_procs(group_members(process.pid), timeout=1)

    # -- echo

    def _echo_all(self) -> None:
        if self.echo is None:
            return
        for position, (name, life) in enumerate(self.lives.items()):
            colour = colour_of(position) if self.coloured else None
            for line in life.follower.lines():
                if not re.search(life.part.notable, line):
                    continue
                self.echo(prefixed(name, line, width=self._width, colour=colour))

    def keep_logs_small(self) -> None:
        """Rotate what grew over 10 MB."""
        for life in self.lives.values():
            life.follower.keep_small()
