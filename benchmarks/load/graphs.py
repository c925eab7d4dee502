"""Seeded service graphs of any size: domains with services in layers, topics between them, few arrows back.

40 % services, 60 % topics, one topic in ten for dead letters; 1 to 3 producers (60, 25, 15 %), 1 to 5 consumers
(35, 25, 20, 12, 8 %), 3 % of the readings one layer back. `modular`: 93 % of the readings stay in their domain;
`dense`: 75 % in the same or the next one.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

NODES_A_DOMAIN = 18
_DOMAINS = (
    "orders", "payments", "shipping", "inventory", "catalog", "pricing", "customers", "billing", "returns", "search",
    "fraud", "loyalty", "mail", "reviews", "tax", "suppliers", "wishlist", "reports", "identity", "carts",
)  # fmt: skip
_PARTS = ("intake", "checker", "router", "ledger", "planner", "writer", "gateway", "indexer", "notifier", "archiver")
_THINGS = ("request", "item", "batch", "account", "label", "quote", "case", "document", "session", "stock")
_DEEDS = ("created", "changed", "checked", "accepted", "refused", "closed", "sent", "planned")
_PRODUCERS, _CONSUMERS = (60, 25, 15), (35, 25, 20, 12, 8)
_SHARES = {"modular": (93, 100), "dense": (55, 75)}  # in its domain; in its domain or the next
_BACK = 0.03


@dataclass(frozen=True)
class Party:
    """A service or a topic. `layer` counts from the left inside its domain."""

    name: str
    domain: str
    layer: int


@dataclass(frozen=True)
class Wiring:
    """Who writes to what, and who reads it: (service, topic) and (topic, service), by name."""

    services: tuple[Party, ...]
    topics: tuple[Party, ...]
    dead_letters: frozenset[str]
    writes: tuple[tuple[str, str], ...]
    reads: tuple[tuple[str, str], ...]

    @property
    def nodes(self) -> list[str]:
        """All names, services first."""
        return [party.name for party in (*self.services, *self.topics)]

    @property
    def arrows(self) -> list[tuple[str, str]]:
        """All arrows."""
        return [*self.writes, *self.reads]


def wiring(n_nodes: int, *, kind: str = "modular", seed: int = 7) -> Wiring:
    """The same graph for the same words."""
    dice = random.Random(f"{kind} {n_nodes} {seed}")
    domains = _domains(max(2, round(n_nodes / NODES_A_DOMAIN)))
    n_services = round(n_nodes * 0.4)
    services = [_service(number, domains) for number in range(n_services)]
    topics, dead = [], set()
    for number in range(n_nodes - n_services):
        topic = _topic(number, domains, dice, dead=number % 10 == 9)
        topics.append(topic)
        if topic.name.endswith(".dlq"):
            dead.add(topic.name)
    places = _Places(services, domains, kind, dice)
    writes: set[tuple[str, str]] = set()
    reads: set[tuple[str, str]] = set()
    for topic in topics:
        writers = {places.writer(topic) for _ in range(_drawn(dice, _PRODUCERS))}
        writes.update((writer, topic.name) for writer in writers)
        if topic.name not in dead:
            readers = {places.reader(topic) for _ in range(_drawn(dice, _CONSUMERS))} - writers
            reads.update((topic.name, reader) for reader in readers)
    _nobody_alone(services, topics, writes, reads)
    return Wiring(tuple(services), tuple(topics), frozenset(dead), tuple(sorted(writes)), tuple(sorted(reads)))


class _Places:
    """Services by domain and layer, and who is drawn from them."""

    def __init__(self, services: Sequence[Party], domains: Sequence[str], kind: str, dice: random.Random) -> None:
        self._domains, self._dice, self._shares = domains, dice, _SHARES[kind]
        self._by_domain = {name: [one for one in services if one.domain == name] for name in domains}

    def writer(self, topic: Party) -> str:
        return self._near(topic.domain, topic.layer)

    def reader(self, topic: Party) -> str:
        back = self._dice.random() < _BACK
        own, near = self._shares
        share, at = self._dice.random() * 100, self._domains.index(topic.domain)
        if share < own:
            domain = topic.domain
        elif share < near:
            domain = self._domains[(at + 1) % len(self._domains)]
        else:
            domain = self._dice.choice(self._domains)
        return self._near(domain, topic.layer if back else topic.layer + 1)

    def _near(self, domain: str, layer: int) -> str:
        found = self._by_domain[domain]
        best = min(abs(one.layer - layer) for one in found)
        return self._dice.choice([one.name for one in found if abs(one.layer - layer) == best])


def _nobody_alone(
    services: Sequence[Party],
    topics: Sequence[Party],
    writes: set[tuple[str, str]],
    reads: set[tuple[str, str]],
) -> None:
    """A service that drew nothing reads the first topic of its domain."""
    busy = {name for name, _ in writes} | {name for _, name in reads}
    for service in services:
        if service.name not in busy:
            topic = next((one for one in topics if one.domain == service.domain), topics[0])
            reads.add((topic.name, service.name))


def _service(number: int, domains: Sequence[str]) -> Party:
    domain, round_ = domains[number % len(domains)], number // len(domains)
    part = _PARTS[round_ % len(_PARTS)]
    again = f"-{round_ // len(_PARTS) + 1}" if round_ >= len(_PARTS) else ""
    return Party(f"{domain}-{part}{again}", domain, round_ % 4)


def _topic(number: int, domains: Sequence[str], dice: random.Random, *, dead: bool) -> Party:
    domain, round_ = domains[number % len(domains)], number // len(domains)
    thing, deed = _THINGS[round_ % len(_THINGS)], _DEEDS[(round_ * 3) % len(_DEEDS)]
    again = f".{round_ // len(_THINGS) + 1}" if round_ >= len(_THINGS) else ""
    return Party(f"{domain}.{thing}.{deed}{again}{'.dlq' if dead else ''}", domain, dice.randrange(3))


def _domains(n: int) -> list[str]:
    rounds = range(-(-n // len(_DOMAINS)))
    return [name if not number else f"{name}{number + 1}" for number in rounds for name in _DOMAINS][:n]


def _drawn(dice: random.Random, shares: Sequence[int]) -> int:
    return 1 + dice.choices(range(len(shares)), weights=shares)[0]
