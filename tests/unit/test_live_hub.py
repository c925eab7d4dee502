"""The hub: one computation for all readers, a delta where it fits, bells at most once a second."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard import shell
from dashboard.live import hub, socket, streams
from dashboard.live.outbox import Bell, Outbox
from dashboard.queries.ticks import Tick
from dashboard.queries.window import Window
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
        self.rate: float = 1

    def __call__(self, name: str) -> Tick:
        self.n_reads += 1
        return Tick(AT, {"nodes": {"a": {"name": name, "rate": self.rate}}})


def test_who_chooses_clusters_gets_a_stream_of_them_and_there_are_not_more_than_are_kept() -> None:
    async def play() -> None:
        first, second = Reader(), Reader()
        live = hub.Hub(Source())
        names = [f"graph:900:c{n}" for n in range(hub.MOST_STREAMS)]
        assert live.want(first, names)
        assert live.want(first, [*names[1:], "graph:900:another"])
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
    assert streams.parse("topics:300:a%2Cb%3Ac,prod") == ("topics", 300, frozenset({"prod", "a,b:c"}))
    for names in (["dev", "prod"], ["ä b"], ["a,b:c", "%2C"]):
        window = Window(AT - timedelta(seconds=900), AT, live=True)
        assert streams.parse(shell.stream("graph", window, names)) == ("graph", 900, frozenset(names))
    for again in ("graph:900:prod,dev", "graph:900:dev,dev", "graph:900:d%65v", "graph:900:dev,", "graph:900:a%2cb"):
        assert streams.parse(again) is None, f"{again} is one stream by another name"
    for wrong in ("graph:901", "graph:900:", "graph", "x:900", "graph:900:a:b", "graph:٩٠٠", 5, None):
        assert streams.parse(wrong) is None, wrong


def test_which_bells_a_page_asks_for() -> None:
    assert streams.bells_of({}) == frozenset({"letters", "retries", "layout", "health", "events", "lookups"})
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


def test_what_comes_now_and_then_takes_no_turn_of_the_fold_that_the_graph_waits_for() -> None:
    async def play() -> None:
        source, reader = Source(), Reader()
        live = hub.Hub(source)
        live.want(reader, ["graph:900", "groups:900"])
        while source.n_reads < 2:
            await reader.next()
        graph, groups = live._streams["graph:900"], live._streams["groups:900"]
        live.wake("samples")
        assert groups._woken.is_set(), "nothing else tells of groups"
        assert not graph._woken.is_set()
        live.wake("topology")
        assert graph._woken.is_set()
        while source.n_reads < 4:
            await asyncio.sleep(0.01)
        live.leave(reader)
        alone = hub.Stream("graph:900")
        alone.wake(at_once=False)
        await asyncio.wait_for(alone._woken.wait(), 30)

    asyncio.run(play())


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


def test_a_state_that_cannot_be_written_ends_no_stream() -> None:
    async def play() -> None:
        source, reader = Source(), Reader()
        live = hub.Hub(source)
        live.want(reader, ["graph:900"])
        await reader.next()
        source.rate = float("nan")
        live.wake("samples")
        while source.n_reads < 2:
            await asyncio.sleep(0.01)
        source.rate = 7
        live.wake("samples")
        assert (await reader.next())["nodes"]["a"]["rate"] == 7
        live.leave(reader)

    asyncio.run(play())


def test_one_person_does_not_take_all_streams() -> None:
    async def play() -> None:
        sockets = socket.Sockets(hub.Hub(Source()), socket.Door(frozenset(), 50, "weir", lambda _keys: {}))
        many = [frozenset(f"graph:900:c{n}{part}" for n in range(8)) for part in "abc"]
        nothing = frozenset[str]()
        assert sockets._look_at(1, nothing, many[0])
        assert sockets._look_at(1, nothing, many[0]), "a second page that shows the same is no more"
        assert sockets._look_at(1, nothing, many[1])
        assert not sockets._look_at(1, nothing, many[2])
        assert sockets._look_at(2, nothing, many[2])
        assert sockets._look_at(1, many[1], many[2])
        assert not sockets._look_at(1, many[0], many[1]), "the first page still looks at them"
        assert sockets._look_at(1, many[0], nothing)
        assert sockets._look_at(1, many[0], many[1])

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
