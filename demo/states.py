"""The state of the shop that a person sets: is billing broken, slow, which versions run, who is stopped."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import NamedTemporaryFile

FIRST_VERSION, SLOW_VERSION, MENDED_VERSION = "2.7.3", "2.8.0", "2.8.1"
LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class State:
    """As stored in `state.json`; the defaults hold while nobody has set anything."""

    broken: bool = True
    slow: bool = False
    billing_version: str = FIRST_VERSION
    stopped: frozenset[str] = field(default_factory=frozenset)
    held: bool = False
    deployed: frozenset[str] = field(default_factory=frozenset)

    def broken_again(self) -> "State":
        """Billing declines some card brands."""
        return replace(self, broken=True)

    def mended(self) -> "State":
        """Billing takes every card, at the old speed; a deployed 2.8.0 is followed by 2.8.1."""
        deployed = self.billing_version != FIRST_VERSION
        return replace(self, broken=False, slow=False, billing_version=MENDED_VERSION if deployed else FIRST_VERSION)

    def overwhelmed(self) -> "State":
        """Billing 2.8.0: slower than the orders come in, and with a new bug."""
        return replace(self, slow=True, billing_version=SLOW_VERSION)

    def with_next(self, part: str) -> "State":
        """The next version of this service: several times slower, but it keeps up."""
        return replace(self, deployed=self.deployed | {part})

    def holding(self) -> "State":
        """Pricing leaves its transaction open: who reads committed records only waits behind it."""
        return replace(self, held=True)

    def released(self) -> "State":
        """Pricing ends its transactions at once."""
        return replace(self, held=False)

    def without(self, part: str) -> "State":
        """This service works no more and leaves its group; its process stays."""
        return replace(self, stopped=self.stopped | {part})

    def having(self, part: str) -> "State":
        """This service works again."""
        return replace(self, stopped=self.stopped - {part})


_SETS = ("stopped", "deployed")


def as_plain(state: State) -> dict[str, object]:
    """The state as JSON holds it."""
    found = asdict(state)
    return {**found, **{name: sorted(found[name]) for name in _SETS}}


def path_in(state_dir: Path) -> Path:
    """Where the state is stored."""
    return state_dir / "state.json"


def load(state_dir: Path) -> State:
    """The stored state, or the default where none is stored."""
    try:
        stored = json.loads(path_in(state_dir).read_text())
    except FileNotFoundError:
        return State()
    return State(**{**stored, **{name: frozenset(stored.get(name, ())) for name in _SETS}})


def save(state: State, *, state_dir: Path) -> None:
    """Replace the stored state in one step, so that no reader sees half of it."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", dir=state_dir, prefix="state.", delete=False) as file:
        json.dump(as_plain(state), file)
    os.replace(file.name, path_in(state_dir))


class Watch:
    """The current state, read anew at most once a second and only when the file has changed."""

    def __init__(self, state_dir: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._state_dir = state_dir
        self._monotonic = monotonic
        self._next_look = 0.0
        self._mark: tuple[int, int] | None = None
        self._state = State()

    def state(self) -> State:
        """The state as of at most a second ago."""
        now = self._monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_EVERY_SECONDS
            self._look()
        return self._state

    def _look(self) -> None:
        try:
            stat = path_in(self._state_dir).stat()
        except FileNotFoundError:
            self._mark, self._state = None, State()
            return
        mark = (stat.st_mtime_ns, stat.st_ino)
        if mark != self._mark:
            self._mark, self._state = mark, load(self._state_dir)
