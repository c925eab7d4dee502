"""The shop's services: what each reads and writes, and how it is traced. One process each."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """One service; the fields are what a look at its code would tell."""

    name: str
    group: str | None = None
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    traced: bool = True
    names_its_group: bool = True  # as a resource attribute: the Python instrumentation does not tell the group
    version: str = "1.0.0"


CATALOGUE = (
    Part("orders-svc", writes=("orders.created",), version="4.11.2"),
    Part(
        "billing-svc",
        group="billing",
        reads=("orders.created", "orders.created.retry.billing"),
        writes=("payments.captured", "orders.created.dlq", "orders.created.retry.billing"),
        version="2.7.3",
    ),
    Part(
        "shipping-svc",
        "shipping",
        ("orders.created", "quotes.given"),
        ("shipments.planned", "quotes.requested"),
        version="1.19.0",
    ),
    Part("carrier-svc", "carrier", ("quotes.requested",), ("quotes.given",), version="3.0.2"),  # replies
    # The published instrumentation makes no span for a record without a value, so tombstones are for the untraced one.
    Part("audit", "audit", ("orders.created", "prices.current"), traced=False, version="0.9.4"),
    Part(
        "invoicing-svc",
        group="invoicing",
        reads=("payments.captured", "prices.changed"),
        writes=("invoices.issued",),
        version="3.2.1",
    ),
    # These two do not name their group: it is found by their client id among the group's members.
    Part("ledger-svc", "ledger", ("invoices.issued",), ("ledger.posted",), names_its_group=False, version="5.0.7"),
    Part(
        "mailer",
        "mailer",
        ("shipments.planned", "payments.captured"),
        ("emails.sent",),
        names_its_group=False,
        version="1.4.0",
    ),
    Part("treasury-svc", "treasury", ("ledger.posted",), ("settlements.prepared",), version="2.2.0"),
    Part("warehouse-svc", "warehouse", ("shipments.planned",), ("shipments.dispatched",), version="7.3.5"),
    # No spans, but the headers of what it reads are on what it writes, the trace's too.
    Part(
        "partner-bridge",
        "partner-bridge",
        ("shipments.dispatched",),
        ("partner.notices",),
        traced=False,
        version="2.0.0",
    ),
    Part("digest-svc", "digest", ("emails.sent",), ("digests.built",), version="1.1.0"),  # reads many at once
    # aiokafka's sends are new traces: what they come from is in the CloudEvent.
    Part("loyalty-svc", "loyalty", ("payments.captured",), ("loyalty.earned",), names_its_group=False, version="0.8.3"),
    Part("pricing-svc", writes=("prices.changed", "prices.current"), version="1.1.0"),
    # aiokafka puts the group on its spans, so that nothing need be said here.
    Part("analytics", "analytics", ("settlements.prepared",), names_its_group=False, version="0.31.0"),
)
ON_AIOKAFKA = frozenset({"analytics", "loyalty-svc"})
PARTS: tuple[str, ...] = tuple(part.name for part in CATALOGUE)


def instance(part: Part) -> str:
    """The name of this process among its kin: its clients' id, and its instance in traces, as a pod's name would be."""
    return f"{part.name}-{os.getpid()}"


class NoSuchPart(LookupError):
    """The shop has no service of this name."""


def part_named(name: str) -> Part:
    """The service of this name. Raises NoSuchPart, naming those there are."""
    for part in CATALOGUE:
        if part.name == name:
            return part
    raise NoSuchPart(f"No service is called {name!r}. There are: {', '.join(PARTS)}.")
