"""The hub: one computation for all readers, a delta where it fits, bells at most once a second."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

from dashboard.live import hub, streams
from dashboard.live.outbox import Bell, Outbox
from dashboard.queries.ticks import Tick
from tests.unit.frames import payload

AT = datetime(2026, 1, 1, tzinfo=UTC)


class Reader:
    """A socket that acknowledges at once."""

    def __init__(self) -> None:
        self.box = Outbox()
        self.got: list[dict[str, Any]] = []
        self.rung = asyncio.Event()
        self.told = asyncio.Event()

    def put(self, feed: hub.Stream) -> None:
        self.box.put(feed)
        self._drain()
        self.told.set()

    def ring(self, bell: Bell) -> None:
        self.box.ring(bell)
        self._drain()
        self.rung.set()

    def _drain(self) -> None:
        while frame := self.box.take(at=0):
            self.got.append(json.loads(payload(frame)))
            self.box.acknowledge(self.got[-1]["seq"])

    async def next(self) -> dict[str, Any]:
        await asyncio.wait_for(self.told.wait(), 5)
        self.told.clear()
        return self.got[-1]


class Source:
    """What builders read; counts how often it is read."""

    def __init__(self) -> None:
        self.n_reads = 0
        self.rate = 1

    def __call__(self, name: str) -> Tick:
        self.n_reads += 1
        return Tick(AT, {"nodes": {"a": {"name": name, "rate": self.rate}}})


def test_who_chooses_clusters_gets_a_stream_of_them_and_there_are_not_more_than_are_kept() -> None:
    async def play() -> None:
        first, second = Reader(), Reader()
        live = hub.Hub(Source())
        names = [f"graph:900:c{n}" for n in range(hub.MOST_STREAMS)]
        assert live.want(first, names)
        assert not live.want(second, ["graph:900:one-more"])
        assert live.want(second, names[:1])
        live.leave(first)
        assert live.want(second, ["graph:900:one-more"])
        assert (await second.next())["stream"].startswith("graph:900:")
        live.leave(second)

    asyncio.run(play())


def test_a_streams_name_says_window_and_clusters() -> None:
    assert streams.parse("graph:900") == ("graph", 900, None)
    assert streams.parse("topics:300:prod,a%2Cb%3Ac") == ("topics", 300, frozenset({"prod", "a,b:c"}))
    for wrong in ("graph:901", "graph:900:", "graph", "x:900", "graph:900:a:b", "graph:٩٠٠", 5, None):
        assert streams.parse(wrong) is None, wrong


def test_which_bells_a_page_asks_for() -> None:
    assert streams.bells_of({}) == frozenset({"letters", "retries", "layout", "health", "events"})
    assert streams.bells_of({"bells": []}) == frozenset()
    assert streams.bells_of({"bells": ["layout", "layout"]}) == frozenset({"layout"})
    wrong: list[dict[object, object]] = [
        {"bells": "layout"},
        {"bells": ["doors"]},
        {"bells": [1]},
        {"bells": [[]]},
        {"more": 1},
        {"bells": [], "more": 1},
    ]
    assert [streams.bells_of(each) for each in wrong] == [None] * len(wrong)


def test_readers_share_one_computation_and_a_newcomer_gets_the_whole_state() -> None:
    async def play() -> None:
        source, first, second = Source(), Reader(), Reader()
        live = hub.Hub(source)
        live.want(first, ["graph:900"])
        snapshot = await first.next()
        assert snapshot["kind"] == "snapshot"
        assert snapshot["nodes"] == {"a": {"name": "graph:900", "rate": 1}}
        live.want(second, ["graph:900"])
        assert await second.next() == snapshot
        source.rate = 2
        live.wake("topology")
        change = await first.next()
        assert (change["kind"], change["base"], change["nodes"]) == ("delta", snapshot["seq"], {"a": {"rate": 2}})
        assert await second.next() == change
        assert source.n_reads == 2
        live.leave(first)
        live.leave(second)
        assert live.n_streams == 0

    asyncio.run(play())


def test_a_stream_that_nobody_looks_at_is_not_computed() -> None:
    async def play() -> int:
        source, reader = Source(), Reader()
        live = hub.Hub(source)
        live.join(reader)
        live.wake("topology")
        live.wake("samples")
        await asyncio.sleep(0)
        return source.n_reads

    assert asyncio.run(play()) == 0


def test_a_source_that_fails_keeps_the_stream_and_recovers_with_the_next_hint() -> None:
    async def play() -> None:
        source, reader = Source(), Reader()
        fail = True

        def build(name: str) -> Tick:
            if fail:
                raise ConnectionError
            return source(name)

        live = hub.Hub(build)
        live.want(reader, ["graph:900"])
        await asyncio.to_thread(lambda: None)
        fail = False
        live.wake("samples")
        assert (await reader.next())["kind"] == "snapshot"
        live.leave(reader)

    asyncio.run(play())


def test_a_burst_of_hints_rings_once_now_and_once_later() -> None:
    async def play() -> list[dict[str, Any]]:
        reader = Reader()
        live = hub.Hub(Source())
        live.join(reader)
        for _ in range(100):
            live.wake("letters")
        assert len(reader.got) == 1
        reader.rung.clear()
        await asyncio.wait_for(reader.rung.wait(), 3)
        return reader.got

    assert [message["of"] for message in asyncio.run(play())] == ["letters", "letters"]
