"""The path of one event, over all shapes in which libraries tell it, and some that tell it wrongly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from collector.domain.hops import Op
from collector.domain.lineage import onward, path_of_event, path_of_trace, with_passings
from collector.domain.paths import Path
from collector.domain.sightings import LetterSeen, LinkSeen, Passing, Place, RecordSeen, ResentSeen, SpanSeen
from collector.domain.topology import Evidence
from collector.domain.weaving import Loom

AT = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS, PAYMENTS, LETTERS = 1, 2, 3
BILLING, AUDIT = 10, 20


def span(number: int, op: Op, topic: int | None, service: str, *, at: float = 0.0, **rest: object) -> SpanSeen:
    """Span `number` of trace 1, unless told otherwise; `place` is (partition, offset)."""
    place = rest.pop("place", None)
    base = SpanSeen(
        trace_id=UUID(int=int(str(rest.pop("trace", 1)))),
        span_id=number,
        parent_id=None,
        op=op,
        topic=topic,
        place=(topic, *place) if place else None,  # type: ignore[misc]
        group=None,
        group_evidence=Evidence(0),
        service=("", service),
        version="",
        started_at=AT + timedelta(seconds=at),
        seconds=0.5,
        failed=False,
        n_messages=1,
        exception=None,
    )
    return replace(base, **{{"parent": "parent_id"}.get(name, name): value for name, value in rest.items()})  # type: ignore[arg-type]


def link(owner: SpanSeen, to: SpanSeen, place: Place | None = None) -> LinkSeen:
    return LinkSeen(owner.context, to.context, place)


def record(place: Place, by: SpanSeen | None = None, *, at: float = 0.0) -> RecordSeen:
    return RecordSeen(place, AT + timedelta(seconds=at), by.context if by else None)


def letter(place: Place, origin: Place | None, group: int | None = BILLING) -> LetterSeen:
    return LetterSeen(place, origin, group, AT + timedelta(seconds=9), ("CardDeclined", "no"))


def told(path: Path) -> list[tuple[object, ...]]:
    """Each hop as (kind, who, topic, result, causes)."""
    return [(hop.kind, hop.service[1] if hop.service else None, hop.topic, hop.result, hop.causes) for hop in path.hops]


def loom(*seen: object) -> Loom:
    def of(kind: type) -> list[object]:
        return [each for each in seen if isinstance(each, kind)]

    return Loom(
        spans=of(SpanSeen),  # type: ignore[arg-type]
        links=of(LinkSeen),  # type: ignore[arg-type]
        records=of(RecordSeen),  # type: ignore[arg-type]
        letters=of(LetterSeen),  # type: ignore[arg-type]
        resents=of(ResentSeen),  # type: ignore[arg-type]
    )


def test_a_chain_of_parents_is_one_path() -> None:
    """The Java agent: everything in one trace, places on every span."""
    sent = span(1, Op.SEND, ORDERS, "orders", place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", parent=1, at=2, place=(0, 5), group=BILLING)
    inner = span(3, Op.OTHER, None, "billing", parent=2, at=2.1)
    sent_on = span(4, Op.SEND, PAYMENTS, "billing", parent=3, at=2.2, place=(1, 7))
    path = path_of_event(loom(sent, read, inner, sent_on), (ORDERS, 0, 5))
    assert told(path) == [
        ("produce", "orders", ORDERS, "ok", ()),
        ("consume", "billing", ORDERS, "ok", (0,)),
        ("produce", "billing", PAYMENTS, "ok", (1,)),
    ]
    assert path.start == (0, 1)
    assert (path.hops[1].wait_seconds, path.hops[1].processing_seconds) == (2.0, 0.5)
    assert path_of_event(loom(sent, read, inner, sent_on), (PAYMENTS, 1, 7)).hops == path.hops


def test_senders_without_a_place_are_joined_by_the_record_they_wrote() -> None:
    """confluent-kafka for Python: no place on producers, a trace of its own for each reader, links."""
    sent = span(1, Op.SEND, ORDERS, "orders")
    read = span(1, Op.PROCESS, ORDERS, "billing", trace=2, parent=99, at=1, place=(0, 5))
    sent_on = span(2, Op.SEND, PAYMENTS, "billing", trace=2, parent=1, at=1.1)
    read_on = span(1, Op.PROCESS, PAYMENTS, "shipping", trace=3, at=3, place=(1, 7))
    cloth = loom(
        sent,
        read,
        sent_on,
        read_on,
        link(read, sent),
        link(read_on, sent_on),
        record((ORDERS, 0, 5), sent),
        record((PAYMENTS, 1, 7), sent_on, at=1.1),
    )
    path = path_of_event(cloth, (PAYMENTS, 1, 7))
    assert told(path) == [
        ("produce", "orders", ORDERS, "ok", ()),
        ("consume", "billing", ORDERS, "ok", (0,)),
        ("produce", "billing", PAYMENTS, "ok", (1,)),
        ("consume", "shipping", PAYMENTS, "ok", (2,)),
    ]
    assert path.hops[0].evidence == ("traced", "record")
    assert path.hops[2].place == (PAYMENTS, 1, 7)


def test_without_a_tap_the_readers_link_tells_where_the_sender_wrote() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders")
    read = span(1, Op.PROCESS, ORDERS, "billing", trace=2, at=1, place=(0, 5))
    path = path_of_event(loom(sent, read, link(read, sent)), (ORDERS, 0, 5))
    assert told(path) == [("produce", "orders", ORDERS, "ok", ()), ("consume", "billing", ORDERS, "ok", (0,))]


def test_a_batch_span_reads_each_of_its_links_and_drags_no_others_along() -> None:
    sends = [span(number, Op.SEND, ORDERS, f"shop-{number}", trace=number) for number in (1, 2, 3)]
    batch = span(9, Op.PROCESS, ORDERS, "ledger", trace=9, at=1, n_messages=3)
    page = span(10, Op.SEND, PAYMENTS, "ledger", trace=9, parent=9, at=2)
    cloth = loom(
        *sends,
        batch,
        page,
        *(link(batch, each) for each in sends),
        *(record((ORDERS, 0, number), each) for number, each in enumerate(sends)),
        record((PAYMENTS, 0, 0), page),
    )
    forwards = path_of_event(cloth, (ORDERS, 0, 1))
    assert told(forwards) == [
        ("produce", "shop-2", ORDERS, "ok", ()),
        ("consume", "ledger", ORDERS, "ok", (0,)),
        ("produce", "ledger", PAYMENTS, "ok", (1,)),
    ]
    backwards = path_of_event(cloth, (PAYMENTS, 0, 0))
    assert len(backwards.hops) == 7
    assert len(backwards.hops[-1].causes) == 3


def test_the_batch_handler_of_kafkajs_sends_beside_its_process_spans() -> None:
    sent = span(1, Op.SEND, ORDERS, "shop", place=(0, 1))
    poll = span(2, Op.RECEIVE, ORDERS, "digester", trace=2, at=1, n_messages=0)
    process = span(3, Op.PROCESS, ORDERS, "digester", trace=2, parent=2, at=1, place=(0, 1))
    page = span(4, Op.SEND, PAYMENTS, "digester", trace=2, parent=2, at=2, place=(0, 0))
    path = path_of_event(loom(sent, poll, process, page, link(process, sent)), (PAYMENTS, 0, 0))
    assert [hop.service for hop in path.hops] == [("", "shop"), ("", "digester"), ("", "digester")]
    assert path.hops[2].causes == (1,)


def test_a_copied_traceparent_joins_the_records_and_names_no_writer() -> None:
    """A bridge without telemetry copies the header: what it wrote came of what it read, not from the first sender."""
    sent = span(1, Op.SEND, ORDERS, "orders")
    read = span(2, Op.PROCESS, PAYMENTS, "shipping", parent=1, at=5, place=(0, 3))
    bare = span(3, Op.PROCESS, PAYMENTS, "watcher", parent=1, at=5)
    cloth = loom(sent, read, bare, record((ORDERS, 0, 1), sent), record((PAYMENTS, 0, 3), sent, at=4))
    path = path_of_event(cloth, (PAYMENTS, 0, 3))
    assert told(path) == [
        ("produce", "orders", ORDERS, "ok", ()),
        ("produce", None, PAYMENTS, "ok", (0,)),
        ("consume", "shipping", PAYMENTS, "ok", (1,)),
        ("consume", "watcher", PAYMENTS, "ok", (1,)),
    ]
    assert path.hops[1].evidence == ("record",)
    assert path.hops[1].known_by == ("copied traceparent",)
    assert path_of_event(cloth, (ORDERS, 0, 1)).hops == path.hops


def test_a_record_written_in_the_context_of_a_reading_comes_from_it() -> None:
    """A client without instrumentation, within a service that has spans and injects its context by hand."""
    read = span(2, Op.PROCESS, ORDERS, "billing", at=5, place=(0, 3))
    inside = span(3, Op.OTHER, None, "billing", parent=2, at=5)
    path = path_of_event(loom(read, inside, record((PAYMENTS, 0, 0), inside, at=6)), (PAYMENTS, 0, 0))
    assert told(path) == [("consume", "billing", ORDERS, "ok", ()), ("produce", None, PAYMENTS, "ok", (0,))]
    assert path.hops[1].known_by == ("traceparent",)
    assert path.hops[0].n_inside == 1


def test_an_id_of_the_cause_joins_where_traces_do_not() -> None:
    """aiokafka's sends are new traces; the CloudEvent says what it comes from. Without spans the event itself stays."""
    read = span(1, Op.RECEIVE, ORDERS, "notices", at=1, place=(0, 1), group=BILLING)
    sent = span(1, Op.SEND, PAYMENTS, "notices", trace=2, at=2)
    order = RecordSeen((ORDERS, 0, 1), AT, None, "a-1")
    again = RecordSeen((ORDERS, 0, 9), AT + timedelta(seconds=60), None, "a-1")
    made = RecordSeen((PAYMENTS, 0, 0), AT + timedelta(seconds=2), sent.context, "b-1", "a-1")
    silent = RecordSeen((LETTERS, 0, 0), AT + timedelta(seconds=3), None, "c-1", "b-1")
    path = path_of_event(loom(read, sent, order, again, made, silent), (LETTERS, 0, 0))
    assert told(path) == [
        ("produce", None, ORDERS, "ok", ()),
        ("consume", "notices", ORDERS, "ok", (0,)),
        ("produce", "notices", PAYMENTS, "ok", (1,)),
        ("produce", None, LETTERS, "ok", (2,)),
    ]
    assert [hop.known_by for hop in path.hops] == [(), ("position",), ("causation id",), ("causation id",)]


def test_clocks_that_differ_are_said_and_draw_no_wait() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders", at=1, place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", parent=1, at=0.75, place=(0, 5))
    hop = path_of_event(loom(sent, read), (ORDERS, 0, 5)).hops[1]
    assert (hop.wait_seconds, hop.skew_seconds) == (0.0, 0.25)


def test_what_is_not_stored_is_named() -> None:
    lost, cause = span(90, Op.SEND, ORDERS, "gone"), span(91, Op.PROCESS, ORDERS, "gone")
    sent = span(1, Op.SEND, PAYMENTS, "orders", parent=cause.span_id, place=(0, 1))
    read = span(2, Op.PROCESS, ORDERS, "billing", trace=2, place=(0, 5))
    cloth = loom(
        sent,
        read,
        link(read, lost),
        record((ORDERS, 0, 5), lost),
        record((LETTERS, 0, 0)),
        record((LETTERS, 0, 1), sent),
    )
    missing = {hop.place: hop.missing for hop in path_of_event(cloth, (ORDERS, 0, 5)).hops if hop.kind == "produce"}
    assert missing == {(ORDERS, 0, 5): ("writer",)}
    assert path_of_event(cloth, (ORDERS, 0, 5)).hops[1].missing == ("sender",)
    assert path_of_event(cloth, (PAYMENTS, 0, 1)).hops[0].missing == ("cause",)
    assert path_of_event(cloth, (LETTERS, 0, 0)).hops[0].missing == ("context",)


def test_a_batch_of_more_than_a_hundred_counts_its_causes_and_follows_a_hundred() -> None:
    sends = [span(1, Op.SEND, ORDERS, "shop", trace=number, place=(0, number)) for number in range(1, 301)]
    batch = span(9, Op.PROCESS, ORDERS, "ledger", trace=999, at=1, n_messages=300)
    page = span(10, Op.SEND, PAYMENTS, "ledger", trace=999, parent=9, at=2, place=(0, 0))
    cloth = loom(*sends, batch, page, *(link(batch, each) for each in sends))
    backwards = path_of_event(cloth, (PAYMENTS, 0, 0))
    assert (len(backwards.hops), backwards.hops[-1].n_causes) == (201, 300)
    forwards = path_of_event(cloth, (ORDERS, 0, 299))
    assert (len(forwards.hops), forwards.hops[-1].n_causes) == (3, 300)


def test_tries_at_one_place_are_one_hop_and_the_last_decides() -> None:
    tries = [
        span(n, Op.PROCESS, ORDERS, "billing", at=n, place=(0, 1), group=BILLING, failed=n < 3, exception=("E", str(n)))
        for n in (1, 2, 3)
    ]
    backoff = span(4, Op.PROCESS, ORDERS, "billing", at=0.5, place=(0, 1), group=BILLING, n_messages=0)
    poll = span(5, Op.RECEIVE, ORDERS, "billing", at=0.4, place=(0, 1), group=BILLING, n_messages=0)
    (hop,) = path_of_event(loom(*tries, backoff, poll), (ORDERS, 0, 1)).hops
    assert (hop.result, hop.n_attempts, hop.happened_at) == ("ok", 3, AT + timedelta(seconds=1))
    (failed,) = path_of_event(loom(*tries[:2], backoff), (ORDERS, 0, 1)).hops
    assert (failed.result, failed.exception) == ("failed", ("E", "2"))
    (waiting,) = path_of_event(loom(backoff), (ORDERS, 0, 1)).hops
    (received,) = path_of_event(loom(poll), (ORDERS, 0, 1)).hops
    assert (waiting.result, received.result) == ("waiting", "received")


def test_a_span_without_a_group_belongs_to_the_group_that_its_service_names_elsewhere() -> None:
    poll = span(1, Op.RECEIVE, ORDERS, "archiver", place=(0, 1), group=BILLING, n_messages=0)
    process = span(2, Op.PROCESS, ORDERS, "archiver", place=(0, 1))
    (hop,) = path_of_event(loom(poll, process), (ORDERS, 0, 1)).hops
    assert (hop.group, hop.result) == (BILLING, "ok")


def test_a_dead_letter_comes_from_the_reading_that_failed() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders", place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", trace=2, at=1, place=(0, 5), failed=True, exception=("Wrapper", ""))
    cloth = loom(sent, read, record((LETTERS, 0, 0), at=2), letter((LETTERS, 0, 0), (ORDERS, 0, 5)))
    path = path_of_event(cloth, (ORDERS, 0, 5))
    assert told(path) == [
        ("produce", "orders", ORDERS, "ok", ()),
        ("consume", "billing", ORDERS, "failed", (0,)),
        ("produce", None, LETTERS, "ok", (1,)),
    ]
    assert (path.hops[1].group, path.hops[1].exception) == (BILLING, ("CardDeclined", "no"))
    assert path.hops[2].evidence == ("record", "dead letter")
    assert path_of_event(cloth, (LETTERS, 0, 0)).hops == path.hops


def test_a_dead_letter_tells_of_a_reading_that_left_no_span() -> None:
    """A record that could not be deserialized makes no consumer span at all."""
    cloth = loom(record((ORDERS, 0, 5)), record((LETTERS, 0, 0), at=10), letter((LETTERS, 0, 0), (ORDERS, 0, 5)))
    path = path_of_event(cloth, (ORDERS, 0, 5))
    assert told(path)[1:] == [("consume", None, ORDERS, "failed", (0,)), ("produce", None, LETTERS, "ok", (1,))]
    assert path.hops[1].evidence == ("dead letter",)


def test_a_retry_comes_from_its_dead_letter_whatever_its_headers_say() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders")
    read = span(2, Op.PROCESS, ORDERS, "billing", trace=2, at=1, place=(0, 5), group=BILLING, failed=True)
    again = span(3, Op.PROCESS, ORDERS, "billing", trace=3, at=20, place=(0, 9), group=BILLING)
    cloth = loom(
        sent,
        read,
        again,
        record((ORDERS, 0, 5), sent),
        record((LETTERS, 0, 0), at=2),
        record((ORDERS, 0, 9), sent, at=19),
        letter((LETTERS, 0, 0), (ORDERS, 0, 5)),
        ResentSeen((LETTERS, 0, 0), (ORDERS, 0, 9), AT + timedelta(seconds=19)),
    )
    path = path_of_event(cloth, (ORDERS, 0, 9))
    assert told(path) == [
        ("produce", "orders", ORDERS, "ok", ()),
        ("consume", "billing", ORDERS, "failed", (0,)),
        ("produce", None, LETTERS, "ok", (1,)),
        ("produce", None, ORDERS, "ok", (2,)),
        ("consume", "billing", ORDERS, "ok", (3,)),
    ]
    assert path.hops[3].evidence == ("record", "retry")


def test_the_brokers_word_adds_the_groups_that_no_span_explains() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders", place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", parent=1, at=1, place=(0, 5), group=BILLING)
    seen_at = AT + timedelta(seconds=4)
    passings = [Passing((ORDERS, 0, 5), group, seen_at, 2.0) for group in (AUDIT, BILLING, AUDIT)]
    path = with_passings(path_of_event(loom(sent, read), (ORDERS, 0, 5)), passings)
    assert told(path)[2:] == [("consume", None, ORDERS, "passed", (0,))]
    passed = path.hops[2]
    assert (passed.group, passed.happened_at, passed.margin_seconds, passed.evidence) == (
        AUDIT,
        seen_at,
        2.0,
        ("offsets",),
    )
    assert path.start == (0, 1, 2)


def test_other_readers_of_a_cause_are_no_part_of_the_path() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders", place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", parent=1, at=1, place=(0, 5), group=BILLING)
    on = span(3, Op.SEND, PAYMENTS, "billing", parent=2, at=2, place=(0, 1))
    path = path_of_event(loom(sent, read, on), (PAYMENTS, 0, 1))
    assert [hop.topic for hop in path.hops] == [ORDERS, ORDERS, PAYMENTS]
    assert list(onward(path)) == [(PAYMENTS, 0, 1)]
    assert set(onward(path_of_event(loom(sent, read, on), (ORDERS, 0, 5)))) == {(ORDERS, 0, 5), (PAYMENTS, 0, 1)}


def test_a_trace_shows_all_its_hops_and_what_they_belong_to() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders", place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", trace=2, at=1, place=(0, 5))
    on = span(3, Op.SEND, PAYMENTS, "billing", trace=2, parent=2, at=2, place=(0, 1))
    other = span(4, Op.PROCESS, PAYMENTS, "shipping", trace=3, at=3, place=(0, 1))
    path = path_of_trace(loom(sent, read, on, other), UUID(int=2))
    assert [hop.service[1] if hop.service else None for hop in path.hops] == [
        "orders",
        "billing",
        "billing",
        "shipping",
    ]
    assert path.start == (1, 2)


def test_sightings_that_repeat_count_once() -> None:
    sent = span(1, Op.SEND, ORDERS, "orders", place=(0, 5))
    read = span(2, Op.PROCESS, ORDERS, "billing", parent=1, place=(0, 5))
    once, twice = loom(sent, read), loom(sent, read, sent, read, record((ORDERS, 0, 5)), record((ORDERS, 0, 5)))
    assert len(path_of_event(once, (ORDERS, 0, 5)).hops) == len(path_of_event(twice, (ORDERS, 0, 5)).hops) == 2
    assert path_of_event(twice, (ORDERS, 0, 5)).hops[1].n_attempts == 1


def test_nothing_seen_is_an_empty_path() -> None:
    assert path_of_event(loom(), (ORDERS, 0, 5)) == Path((), ())


NUMBERS = st.integers(1, 6)
PLACES = st.tuples(st.integers(1, 3), st.integers(0, 1), st.integers(0, 3))
SPANS = st.builds(
    lambda number, op, place, known, trace, parent, failed, n, group: span(
        number,
        op,
        None if op is Op.OTHER else place[0],
        f"service-{trace % 3}",
        at=float(number),
        trace=trace,
        parent=parent,
        place=place[1:] if known and op is not Op.OTHER else None,
        failed=failed,
        n_messages=n,
        group=group,
    ),
    NUMBERS,
    st.sampled_from(Op),
    PLACES,
    st.booleans(),
    st.integers(1, 3),
    st.none() | NUMBERS,
    st.booleans(),
    st.integers(0, 3),
    st.none() | st.sampled_from([BILLING, AUDIT]),
)
CONTEXTS = st.tuples(st.integers(1, 3).map(lambda n: UUID(int=n)), NUMBERS)
SEEN = st.lists(
    SPANS
    | st.builds(LinkSeen, CONTEXTS, CONTEXTS, st.none() | PLACES)
    | st.builds(RecordSeen, PLACES, st.none() | st.just(AT), st.none() | CONTEXTS)
    | st.builds(LetterSeen, PLACES, st.none() | PLACES, st.none() | st.just(BILLING), st.just(AT), st.just(("E", "m")))
    | st.builds(ResentSeen, PLACES, PLACES, st.none() | st.just(AT)),
    max_size=40,
)


@given(SEEN, PLACES)
def test_whatever_was_seen_becomes_a_path_with_every_hop_once(seen: list[object], place: Place) -> None:
    cloth = loom(*seen)
    for path in (path_of_event(cloth, place), path_of_trace(cloth, UUID(int=1))):
        consumed = [(hop.place, hop.group, hop.service) for hop in path.hops if hop.kind == "consume" and hop.place]
        produced = [hop.place for hop in path.hops if hop.kind == "produce" and hop.place]
        assert len(set(consumed)) == len(consumed)
        assert len(set(produced)) == len(produced)
        assert all(
            0 <= cause < len(path.hops) and cause != at for at, hop in enumerate(path.hops) for cause in hop.causes
        )
        assert set(path.start) <= set(range(len(path.hops)))
