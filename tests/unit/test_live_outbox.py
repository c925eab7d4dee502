"""One slot per stream, two messages in flight, the newest state for who was slow."""

from dashboard.live.outbox import Bell, Outbox


class Feed:
    """A stream whose messages say how they were asked for."""

    def __init__(self, name: str, seq: int = 1) -> None:
        self.name, self.seq = name, seq

    def message_after(self, seen: int) -> bytes:
        return f"{self.name} {seen}>{self.seq}".encode()


def test_s15_a_third_message_waits_until_one_is_acknowledged() -> None:
    box, feed = Outbox(), Feed("graph")
    sent = []
    for feed.seq in (1, 2, 3, 4):
        box.put(feed)
        sent.append(box.take(at=0))
    assert sent == [b"graph 0>1", b"graph 1>2", None, None]
    assert box.acknowledge(1)
    assert box.take(at=0) == b"graph 2>4", "the state in between is skipped, and the stream is told what was seen"
    assert box.take(at=0) is None


def test_an_acknowledgement_of_what_is_not_out_frees_nothing() -> None:
    box, feed = Outbox(), Feed("graph")
    for feed.seq in (1, 2):
        box.put(feed)
        box.take(at=0)
    assert not box.acknowledge(9)
    assert box.acknowledge(1)
    assert not box.acknowledge(1)


def test_the_same_state_is_not_sent_twice() -> None:
    box, feed = Outbox(), Feed("graph")
    box.put(feed)
    assert box.take(at=0)
    box.put(feed)
    assert box.take(at=0) is None


def test_bells_of_one_kind_become_one_and_go_first() -> None:
    box = Outbox()
    box.put(Feed("graph", 9))
    box.ring(Bell("letters", 2, b"ring 2"))
    box.ring(Bell("letters", 3, b"ring 3"))
    assert [box.take(at=0), box.take(at=0)] == [b"ring 3", b"graph 0>9"]


def test_bells_on_a_slow_line_do_not_keep_the_newest_state_back() -> None:
    """Five bells ring each second: with a second from end to end there is never a moment without one."""
    box, feed = Outbox(), Feed("graph")
    heard: list[bytes | None] = []
    for turn in range(1, 5):
        feed.seq = turn
        box.put(feed)
        for number in range(5):
            box.ring(Bell(f"bell {number}", 100 * turn + number, b"ring"))
        heard += [box.take(at=0), box.take(at=0)]
        while box.unacknowledged_since() is not None:
            box.acknowledge(box._sent[0][0])
    assert [message for message in heard if message != b"ring"] == [
        b"graph 0>1", b"graph 1>2", b"graph 2>3", b"graph 3>4",
    ]  # fmt: skip


def test_a_stream_that_is_no_longer_wanted_is_forgotten_and_comes_whole_when_wanted_again() -> None:
    box, feed = Outbox(), Feed("graph", 5)
    box.put(feed)
    assert box.take(at=0) == b"graph 0>5"
    box.keep_only(set())
    box.acknowledge(5)
    feed.seq = 6
    box.put(feed)
    assert box.take(at=0) == b"graph 0>6"


def test_the_age_of_the_oldest_unacknowledged_message_is_known() -> None:
    box = Outbox()
    assert box.unacknowledged_since() is None
    for at, name in ((10.0, "graph"), (12.0, "topics")):
        box.put(Feed(name, int(at)))
        box.take(at=at)
    assert box.unacknowledged_since() == 10.0
    box.acknowledge(10)
    assert box.unacknowledged_since() == 12.0
