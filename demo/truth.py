"""The truth logs folded into what anybody who watched the shop should have seen. `python -m demo.truth DIR`.

DIR is the shop's state folder (DEMO_STATE_DIR). Counts are of what really happened, so a record that Kafka handed to a
group twice counts twice; `positions` beside `messages` says how many different records that were. How exact the logs
are after a kill: see demo/journal.py. A shop that has run for so long that logs were dropped is not `complete`.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from demo import logs
from demo.logs import Aborted, Delivery, Forgotten, Produced
from demo.records import Position


@dataclass(frozen=True, slots=True)
class Edge:
    """A produce edge (service to topic, no group) or a consume edge (topic to group and the service behind it)."""

    kind: str
    service: str
    topic: str
    group: str | None
    traced: bool
    messages: int
    positions: int
    errors: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A letter, and the record of which it is the end."""

    position: Position
    origin: Position
    key: str | None
    service: str
    group: str
    exception: str
    message: str
    at: float


@dataclass(frozen=True, slots=True)
class Hop:
    """One record on its way to one group; without a group where nobody has read it.

    `producer` is None for a record that no service of the shop sent (somebody sent it back, say). `results` has "ok" or
    the exception's class for each delivery. `relation` to the position asked for: "here"; "up" is a hop that led to it;
    "down" was caused by it, at any distance; "beside" belongs to the same flow but to another branch.
    """

    producer: str | None
    position: Position
    causes: tuple[Position, ...]
    group: str | None
    consumer: str | None
    results: tuple[str, ...]
    relation: str


class Unknown(LookupError):
    """The shop has neither sent nor read a record there, as far as the logs go."""


class Truth:
    """All that the logs say."""

    def __init__(
        self,
        produced: Iterable[Produced],
        deliveries: Iterable[Delivery],
        *,
        complete: bool,
        aborted: Iterable[Position] = (),
    ) -> None:
        self.complete = complete
        self.aborted = frozenset(aborted)
        self._produced = {record.position: record for record in produced}
        self._deliveries: dict[Position, list[Delivery]] = defaultdict(list)
        for delivery in deliveries:
            self._deliveries[delivery.position].append(delivery)
        self._results: dict[Position, list[Position]] = defaultdict(list)
        for record in self._produced.values():
            for cause in record.causes:
                self._results[cause].append(record.position)

    @classmethod
    def load(cls, state_dir: Path) -> "Truth":
        """Read the logs of all services. Raises FileNotFoundError where there are none."""
        produced: list[Produced] = []
        deliveries: list[Delivery] = []
        aborted: list[Position] = []
        complete = True
        for entry in logs.read(state_dir):
            match entry:
                case Produced():
                    produced.append(entry)
                case Delivery():
                    deliveries.append(entry)
                case Aborted():
                    aborted.extend(entry.positions)
                case Forgotten():
                    complete = False
        return cls(produced, deliveries, complete=complete, aborted=aborted)

    def positions(self) -> list[Position]:
        """Every position that a service sent or read, in order; not those of transactions that were taken back."""
        return sorted((self._produced.keys() | self._deliveries.keys()) - self.aborted, key=_in_order)

    def edges(self) -> list[Edge]:
        """Who sends where, who reads where, and how much."""
        sent: dict[tuple[str, str], set[Position]] = defaultdict(set)
        for record in self._produced.values():
            sent[record.service, record.position.topic].add(record.position)
        traced = {delivery.service: delivery.traced for found in self._deliveries.values() for delivery in found}
        read: dict[tuple[str, str, str], list[Delivery]] = defaultdict(list)
        for deliveries in self._deliveries.values():
            for delivery in deliveries:
                read[delivery.service, delivery.position.topic, delivery.group].append(delivery)
        produce = [
            Edge("produce", service, topic, None, traced.get(service, True), len(at), len(at), 0)
            for (service, topic), at in sent.items()
        ]
        consume = [
            Edge(
                kind="consume",
                service=service,
                topic=topic,
                group=group,
                traced=found[0].traced,
                messages=len(found),
                positions=len({delivery.position for delivery in found}),
                errors=sum(delivery.exception is not None for delivery in found),
            )
            for (service, topic, group), found in read.items()
        ]
        return sorted(produce + consume, key=lambda edge: (edge.kind, edge.service, edge.topic))

    def dead_letters(self) -> list[DeadLetter]:
        """Every dead letter that was sent, oldest first."""
        letters = [
            DeadLetter(
                position=record.position,
                origin=record.causes[0],
                key=record.key,
                service=record.service,
                group=record.letter["group"],
                exception=record.letter["exception"],
                message=record.letter["message"],
                at=record.at,
            )
            for record in self._produced.values()
            if record.letter is not None and record.causes
        ]
        return sorted(letters, key=lambda letter: letter.at)

    def path(self, topic: str, partition: int, offset: int) -> list[Hop]:
        """The whole flow that this record belongs to, from its first event on, causes before results.

        Raises Unknown when the record is in no log.
        """
        here = Position(topic, partition, offset)
        if here not in self._produced and here not in self._deliveries:
            raise Unknown(f"nothing known of {topic}/{partition}/{offset}")
        above = self._above(here)
        below = set(self._flow([here])[1:])
        firsts = [at for at in above if not self._made_from(at)] or [here]
        hops: list[Hop] = []
        for position in self._flow(sorted(firsts, key=_in_order)):
            hops.extend(self._hops(position, here=here, above=above, below=below))
        return hops

    def _made_from(self, position: Position) -> tuple[Position, ...]:
        record = self._produced.get(position)
        return record.causes if record else ()

    def _above(self, here: Position) -> dict[Position, set[str]]:
        """Its causes, the causes of those, and so on; each with the services that made the next on the way."""
        above: dict[Position, set[str]] = {}
        waiting = [here]
        for position in waiting:
            for cause in self._made_from(position):
                if cause not in above:
                    waiting.append(cause)
                above.setdefault(cause, set()).add(self._produced[position].service)
        return above

    def _flow(self, firsts: list[Position]) -> list[Position]:
        """These positions and all that came of them, breadth first."""
        flow = dict.fromkeys(firsts)
        waiting = list(flow)
        for position in waiting:
            for result in sorted(self._results.get(position, ()), key=_in_order):
                if result not in flow:
                    flow[result] = None
                    waiting.append(result)
        return waiting

    def _hops(
        self, at: Position, *, here: Position, above: dict[Position, set[str]], below: set[Position]
    ) -> Iterator[Hop]:
        record = self._produced.get(at)
        groups: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
        for delivery in sorted(self._deliveries.get(at, ()), key=lambda delivery: delivery.group):
            groups[delivery.group, delivery.service].append(delivery.exception or "ok")
        if not groups:
            groups[None, None] = []
        for (group, consumer), results in groups.items():
            if at == here:
                relation = "here"
            elif at in below:
                relation = "down"
            else:
                relation = "up" if consumer in above.get(at, set()) else "beside"
            yield Hop(
                producer=record.service if record else None,
                position=at,
                causes=record.causes if record else (),
                group=group,
                consumer=consumer,
                results=tuple(results),
                relation=relation,
            )


def _in_order(at: Position) -> tuple[str, int, int]:
    return at.topic, at.partition, at.offset


def main(words: list[str]) -> int:
    """Print edges and dead letters, or with `--path TOPIC/PARTITION/OFFSET` one flow, as JSON."""
    match words:
        case [folder]:
            truth = Truth.load(Path(folder))
            said: dict[str, Any] = {
                "complete": truth.complete,
                "n_positions": len(truth.positions()),
                "edges": [asdict(edge) for edge in truth.edges()],
                "dead_letters": [asdict(letter) for letter in truth.dead_letters()],
            }
        case [folder, "--path", place]:
            topic, partition, offset = place.rsplit("/", 2)
            hops = Truth.load(Path(folder)).path(topic, int(partition), int(offset))
            said = {"hops": [asdict(hop) for hop in hops]}
        case _:
            sys.stderr.write("usage: python -m demo.truth DIR [--path TOPIC/PARTITION/OFFSET]\n")
            return 2
    sys.stdout.write(json.dumps(said, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
