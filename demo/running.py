"""The running process of one service: what it is, and whether it should work, wait or end."""

import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from demo.journal import Journal
from demo.parts import Part
from demo.records import Outcome, Record
from demo.sending import Sender
from demo.settings import Settings
from demo.states import SLOW_VERSION, State, Watch
from demo.steps import STEPS, Desk, outcome_of

NEXT_IS_SLOWER = 5.0  # times; whoever spends less than a fifth of an order's interval keeps up


def version_of(part: Part, state: State) -> str:
    """The version that should run: billing's is told by the state, of the others the first or the next one."""
    if part.name == "billing-svc":
        return state.billing_version
    return next_version(part) if part.name in state.deployed else part.version


def next_version(part: Part) -> str:
    """Behind the catalogue's version, with another middle number."""
    major, minor, _ = part.version.split(".")
    return f"{major}.{int(minor) + 1}.0"


@dataclass(frozen=True, slots=True)
class Running:
    """This process. `halt` is set when it was told to end."""

    part: Part
    settings: Settings
    watch: Watch
    version: str
    halt: threading.Event

    def replaced(self) -> bool:
        """Should another version of the service run by now?"""
        return version_of(self.part, self.watch.state()) != self.version

    def over(self) -> bool:
        """Should this process end, or make room for another version?"""
        return self.halt.is_set() or self.replaced()

    def wanted(self) -> bool:
        """Should the service work now?"""
        return not self.over() and self.part.name not in self.watch.state().stopped

    def announce(self) -> None:
        """Tell whoever started this process that it serves."""
        if self.settings.ready_file is not None:
            self.settings.ready_file.write_text(f"{os.getpid()}\n")


@dataclass(frozen=True, slots=True)
class Tools:
    """What a service works with."""

    sender: Sender
    journal: Journal
    failed: Callable[[Outcome], None]


def work_of(running: Running, *, failed: Callable[[Outcome], None]) -> Callable[[Record], Outcome]:
    """The service's step, with the time it takes, as a plain function of a record; failures are told to `failed`."""
    step = STEPS[running.part.name]
    interval_seconds = 1 / running.settings.orders_per_second
    pace = random.Random(running.settings.seed)
    slowness = NEXT_IS_SLOWER if running.part.name in running.watch.state().deployed else 1.0

    def spend(order_intervals: float) -> None:
        time.sleep(order_intervals * interval_seconds * slowness * pace.uniform(0.7, 1.3))

    def work(record: Record) -> Outcome:
        # a version works as itself until it is replaced, which the state may say a second earlier
        state = replace(running.watch.state(), slow=running.version == SLOW_VERSION)
        outcome = outcome_of(step, record, Desk(state, spend))
        if outcome.failure is not None:
            failed(outcome)
        return outcome

    return work
