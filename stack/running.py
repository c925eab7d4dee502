"""One start from beginning to end: check, start, say where, watch, stop."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from stack import cache, control, instance, places, settings
from stack.life import State
from stack.plan import Plan, planned
from stack.ports import LOOPBACK, refuse_taken
from stack.supervisor import Supervisor

LOOK_SECONDS = 0.2
KEEP_SMALL_SECONDS = 60.0


@dataclass
class Stops:
    """How often a person or the system asked us to stop."""

    asked: int = 0
    _before: dict[int, object] = field(default_factory=dict)

    def listen(self) -> None:
        """From now on SIGINT, SIGTERM and SIGHUP are counted instead of ending us; call it in the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._count)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.asked += 1

    def wanted(self) -> bool:
        """True while nobody asked us to stop."""
        return self.asked == 0

    def in_a_hurry(self) -> bool:
        """True when asked twice."""
        return self.asked > 1


class Speaker:
    """Sentences for the person, each with the seconds since the start."""

    def __init__(self, write: Callable[[str], object], *, started_at: float) -> None:
        self._write = write
        self._started_at = started_at

    def say(self, sentence: str) -> None:
        """`  1.7 s  kafka is ready`."""
        self._write(f"{time.monotonic() - self._started_at:6.1f} s  {sentence}\n")

    def show(self, text: str) -> None:
        """Text as it is."""
        self._write(f"{text}\n")


def write_at_once(text: str) -> None:
    """To stdout; a reader that went away does not end the stack."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(*, demo: bool, environ: Mapping[str, str]) -> None:
    """Run until asked to stop. CannotStart when it cannot; nothing is left running then."""
    os.umask(0o077)
    speaker = Speaker(write_at_once, started_at=time.monotonic())
    chosen = settings.read(environ, demo=demo)
    name = "demo" if demo else "up"
    data = instance.opened_folder(places.data_folder(environ, instance=name), name=name)
    with instance.held(data):
        speaker.say(f"data in {data}")
        killed = instance.end_leftovers(data)
        if killed:
            speaker.say(f"ended {killed} processes that an earlier run left")
        fetched = cache.filled(environ, say=speaker.say)
        refuse_taken(chosen.needed_ports)
        plan = planned(chosen, data=data, cache=fetched, environ=environ)
        _run(plan, speaker)


def _run(plan: Plan, speaker: Speaker) -> None:
    stops = Stops()
    stops.listen()
    supervisor = Supervisor(
        plan.parts,
        places.made_private(plan.data / "logs"),
        say=speaker.say,
        echo=speaker.show,
        coloured=sys.stdout.isatty() and "NO_COLOR" not in os.environ,
        changed=lambda what: _remember(what, plan),
    )
    requests = control.opened(plan.data)
    supervisor.lives["sign-in-link"].follower.path.unlink(missing_ok=True)
    try:
        if supervisor.start(wanted=stops.wanted):
            _introduce(plan, supervisor, speaker)
            _watch(supervisor, requests, stops)
        speaker.say("stopping")
    finally:
        supervisor.stop(hurry=stops.in_a_hurry)
        (plan.data / "stack.json").unlink(missing_ok=True)
        (plan.data / instance.CHILDREN).unlink(missing_ok=True)
    speaker.say("stopped; nothing is left running")


def _watch(supervisor: Supervisor, requests: Path, stops: Stops) -> None:
    small_at = time.monotonic()
    while stops.wanted():
        supervisor.tick()
        control.answer_all(requests, lambda verb, part: _act(supervisor, verb, part))
        if time.monotonic() - small_at > KEEP_SMALL_SECONDS:
            supervisor.keep_logs_small()
            small_at = time.monotonic()
        time.sleep(LOOK_SECONDS)


def _act(supervisor: Supervisor, verb: str, part: str) -> str:
    if verb == "status":
        return json.dumps({name: [life.state.value, life.pid] for name, life in supervisor.lives.items()})
    if part not in supervisor.lives or supervisor.lives[part].part.once:
        running = [name for name, life in supervisor.lives.items() if not life.part.once]
        raise control.Refused(f"There is no part {part!r}. There are: {', '.join(running)}.")
    match verb:
        case "stop-part":
            supervisor.stop_part(part)
        case "start-part":
            supervisor.start_part(part)
        case "kill-part":
            supervisor.kill_part(part)
        case _:
            raise control.Refused(f"The supervisor cannot {verb!r}.")
    return f"{part}: {verb} done"


def _remember(supervisor: Supervisor, plan: Plan) -> None:
    """Children for the sweep of the next start; stack.json for scripts, once all is up."""
    lives = supervisor.lives.items()
    children = {name: (life.pid, life.created_at) for name, life in lives if life.pid is not None}
    try:
        instance.remember_children(plan.data, children)
        if (plan.data / "stack.json").exists():
            _write_stack_json(plan, supervisor)
    except OSError as problem:  # a full disk must not end what still runs
        supervisor.say(f"what runs could not be written down: {problem}")


def _write_stack_json(plan: Plan, supervisor: Supervisor) -> None:
    addresses = plan.weir.addresses
    facts = {
        "url": plan.settings.url,
        "api_token": plan.weir.token_file.read_text(encoding="utf-8").strip(),
        "cluster": plan.settings.cluster_name,
        "kafka_bootstrap": addresses.observed.bootstrap,
        "kafka_client": plan.kafka_client,
        "otlp_http": plan.otlp_http,
        "otlp_grpc": plan.otlp_grpc,
        "collect_http": f"http://{LOOPBACK}:{plan.settings.collect_port}",
        "database_url": addresses.database_url,
        "broker_url": addresses.broker_url,
        "pids": {name: life.pid for name, life in supervisor.lives.items() if life.state is State.READY and life.pid},
    }
    places.write_private(plan.data / "stack.json", json.dumps(facts, indent=2) + "\n")


def _introduce(plan: Plan, supervisor: Supervisor, speaker: Speaker) -> None:
    link = _sign_in_link(supervisor)
    _write_stack_json(plan, supervisor)
    name = "The demo" if plan.settings.demo else "Weir"
    speaker.say(f"{name} is up")
    speaker.show("")
    speaker.show(f"    Open {link or plan.settings.url}")
    if link:
        speaker.show(
            "    The link works once, from this machine, for ten minutes; it asks for your name and a password."
        )
    speaker.show(f"    Services send OTLP to {plan.otlp_http} or (gRPC) {plan.otlp_grpc}")
    speaker.show(f"    Kafka {plan.weir.addresses.observed.bootstrap}; all addresses in {plan.data / 'stack.json'}")
    speaker.show("    Ctrl-C stops everything.")
    speaker.show("")


def _sign_in_link(supervisor: Supervisor) -> str:
    """The link while there is no admin, else nothing; its log is not kept, because the link signs anybody in."""
    log = supervisor.lives["sign-in-link"].follower.path
    found = [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith(("http://", "https://"))]
    log.unlink()
    return found[-1] if found else ""
