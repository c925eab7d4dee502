"""A shift: a service at work, from joining in to leaving, on the client that it uses."""

import asyncio

from demo.parts import ON_AIOKAFKA, instance
from demo.running import Running, Tools, work_of

ORDERS_A_PRICE_CHANGE = 20


def work_shift(running: Running, tools: Tools) -> None:
    """Work until the service is stopped, replaced or ended. Each process loads only the client that it needs."""
    if running.part.name == "orders-svc":
        _take_orders(running, tools)
    elif running.part.name == "pricing-svc":
        _change_prices(running, tools)
    elif running.part.name in ON_AIOKAFKA:
        _read_with_aiokafka(running, tools)
    else:
        _read_by_poll(running, tools)


def _take_orders(running: Running, tools: Tools) -> None:
    from demo.taking import take_orders

    settings = running.settings
    take_orders(
        running.wanted,
        sender=tools.sender,
        state_dir=settings.state_dir,
        seed=settings.seed,
        orders_per_second=settings.orders_per_second,
        ready=running.announce,
    )


def _change_prices(running: Running, tools: Tools) -> None:
    from demo.pricing import Transactions, change_prices

    settings = running.settings
    change_prices(
        running.wanted,
        lambda: running.watch.state().held,
        transactions=Transactions(
            bootstrap=settings.bootstrap, client_id=instance(running.part), journal=tools.journal
        ),
        sender=tools.sender,
        seed=settings.seed,
        changes_per_second=settings.orders_per_second / ORDERS_A_PRICE_CHANGE,
        ready=running.announce,
    )


def _read_with_aiokafka(running: Running, tools: Tools) -> None:
    from demo.asynchronous import read

    reading = read(
        running.wanted,
        part=running.part,
        bootstrap=running.settings.bootstrap,
        journal=tools.journal,
        sender=tools.sender,
        work=work_of(running, failed=tools.failed),
        ready=running.announce,
    )
    asyncio.run(reading)


def _read_by_poll(running: Running, tools: Tools) -> None:
    from demo.consuming import WAVES, BatchReader, Reader

    reader = (BatchReader if running.part.name == "digest-svc" else Reader)(
        running.part,
        bootstrap=running.settings.bootstrap,
        sender=tools.sender,
        journal=tools.journal,
        work=work_of(running, failed=tools.failed),
        ready=running.announce,
        hours=WAVES if running.part.name == "warehouse-svc" else None,
    )
    reader.read(running.wanted)
