"""Dead letters as the intake finds them: parked once, in the transaction that saves the batch they came in."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain import contexts
from collector.domain.dead_letters import DeadLetter, LetterStatus
from collector.domain.dialects import own_key
from collector.domain.fingerprints import Fingerprint, fingerprint
from collector.domain.frames import framed
from collector.domain.keys import key_hash, key_text
from collector.domain.records import Record
from collector.domain.resending import attempt_number
from collector.store import later_deaths, letter_counts, letter_names
from collector.store.later_deaths import At, Found, columns, position
from collector.store.letter_names import Places


def park(cursor: CursorWrapper, found: Sequence[Found], *, now: datetime) -> None:
    """Store new dead letters; a record that is there already changes nothing, so a batch may be read again.

    A letter that Weir sent back and that died again is no new one: it becomes a row of dead_letter_again. Its proof is
    the attempt's id (128 random bits) or the position it was sent to, and besides the same value, group and topic
    (a header alone proves nothing).
    """
    known = _known(cursor, [position(each) for each in found])
    fresh = [_dated(each, now) for each in found if position(each) not in known]
    if not fresh:
        return
    places = letter_names.places(cursor, [(topic_id, letter) for _, topic_id, letter in fresh])
    again = later_deaths.matched(cursor, fresh, places)
    later_deaths.write(cursor, [(each, again[position(each)]) for each in fresh if position(each) in again], now=now)
    new = [_parking(each, places, now) for each in fresh if position(each) not in again]
    if new:
        _write_new(cursor, new, now)


Failure = tuple[UUID, int]  # digest of the fingerprint, cluster id


@dataclass(frozen=True, slots=True)
class _Parking:
    """One new letter with everything that its rows hold."""

    at: At
    record: Record
    letter: DeadLetter
    fingerprint: Fingerprint
    failed_at: datetime
    expires_at: datetime | None
    cluster_id: int
    group_id: int | None
    origin_topic_id: int | None

    @property
    def failure(self) -> Failure:
        """What tells failure groups apart."""
        return self.fingerprint.digest, self.cluster_id


def _dated(found: Found, now: datetime) -> Found:
    """With a time of failure that is not still to come, whatever a header or a record's time claims."""
    record, topic_id, letter = found
    return record, topic_id, replace(letter, failed_at=min(letter.failed_at or now, now))


def _known(cursor: CursorWrapper, wanted: Sequence[At]) -> set[At]:
    """Positions that are stored already, as letters or as later deaths."""
    if not wanted:
        return set()
    cursor.execute(
        "with f as (select * from unnest(%s::int[], %s::int[], %s::bigint[])"
        "  f(topic_id, kafka_partition, kafka_offset))"
        " select topic_id, kafka_partition, kafka_offset from dead_letter"
        " join f using (topic_id, kafka_partition, kafka_offset)"
        " union all select topic_id, kafka_partition, kafka_offset from dead_letter_again"
        " join f using (topic_id, kafka_partition, kafka_offset)",
        columns(wanted),
    )
    return {(row[0], row[1], row[2]) for row in cursor.fetchall()}


def _parking(found: Found, places: Places, now: datetime) -> _Parking:
    record, topic_id, letter = found
    kept_for = places.kept_for(topic_id)
    return _Parking(
        at=position(found),
        record=record,
        letter=letter,
        fingerprint=fingerprint(letter, dead_letter_topic=record.topic),
        failed_at=letter.failed_at or now,
        expires_at=_expiry(record.produced_at or now, kept_for),
        cluster_id=places.clusters.get(topic_id, 0),
        group_id=places.group(topic_id, letter.group),
        origin_topic_id=places.topic(topic_id, letter.origin.topic),
    )


def _expiry(since: datetime, kept_for: timedelta | None) -> datetime | None:
    """None where nobody knows, or no calendar says it."""
    try:
        return since + kept_for if kept_for else None
    except OverflowError:
        return None


def _write_new(cursor: CursorWrapper, new: Sequence[_Parking], now: datetime) -> None:
    """Groups first and sorted, so that two collectors wait for each other in one order; counts last, as sorted."""
    groups = _groups(cursor, new)
    ids = _insert_letters(cursor, new, now)
    parked = [(ids[each.at], each) for each in new if each.at in ids]
    if not parked:
        return
    cursor.execute(
        "insert into dead_letter_body (dead_letter_id, key, value, headers, stack)"
        " select * from unnest(%s::bigint[], %s::bytea[], %s::bytea[], %s::bytea[], %s::text[])",
        columns(
            [
                (number, one.record.key, one.record.value, framed(one.record.headers), one.letter.stack)
                for number, one in parked
            ]
        ),
    )
    cursor.execute(
        "insert into letter_state (dead_letter_id, failure_group_id, status, attempt, changed_at)"
        " select n, g, %s, attempt, %s from unnest(%s::bigint[], %s::bigint[], %s::smallint[]) r(n, g, attempt)",
        [
            LetterStatus.OPEN,
            now,
            *columns([(n, groups[one.failure], attempt_number(one.record) + 1) for n, one in parked]),
        ],
    )
    stand = ((groups[one.failure], one.at[0], int(LetterStatus.OPEN)) for _, one in parked)
    letter_counts.adjust(cursor, Counter(stand))


def _groups(cursor: CursorWrapper, new: Sequence[_Parking]) -> dict[Failure, int]:
    """Id of the failure group of each failure, made if missing; a merged one stands for the one it was merged into."""
    rows: dict[Failure, tuple[object, ...]] = {}
    for each in sorted(new, key=lambda one: (one.failure, one.failed_at)):
        first = rows.get(each.failure)
        rows[each.failure] = (
            each.fingerprint.version,
            *each.failure,
            each.group_id,
            each.origin_topic_id or each.at[0],
            each.letter.exception_class,
            each.fingerprint.title,
            first[7] if first else each.failed_at,
            each.failed_at,
        )
    cursor.execute(
        "insert into failure_group as g"
        " (version, digest, cluster_id, group_id, topic_id, exception_class, title, first_at, last_at)"
        " select * from unnest(%s::smallint[], %s::uuid[], %s::smallint[], %s::int[], %s::int[], %s::text[],"
        "  %s::text[], %s::timestamptz[], %s::timestamptz[])"
        " on conflict (version, digest, cluster_id) do update set first_at = least(g.first_at, excluded.first_at),"
        "  last_at = greatest(g.last_at, excluded.last_at) returning g.digest, g.cluster_id,"
        "  coalesce(g.merged_into, g.id)",
        columns(list(rows.values())),
    )
    return {(digest, cluster_id): number for digest, cluster_id, number in cursor.fetchall()}


def _insert_letters(cursor: CursorWrapper, new: Sequence[_Parking], now: datetime) -> dict[At, int]:
    rows = sorted((_letter_row(each) for each in new), key=lambda row: row[:3])
    cursor.execute(
        "insert into dead_letter (topic_id, kafka_partition, kafka_offset, dialect, seen_at, failed_at, expires_at,"
        "  group_id, origin_topic_id, origin_partition, origin_offset, exception_class, message, key_hash, key_text,"
        "  size_bytes, trace_id, span_id, n_attempts)"
        " select t, p, o, dialect, %s, failed_at, expires_at, group_id, origin_t, origin_p, origin_o, class, message,"
        "  key_hash, key_text, size_bytes, trace_id, span_id, n_attempts"
        " from unnest(%s::int[], %s::int[], %s::bigint[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::int[],"
        "  %s::int[], %s::int[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::int[],"
        "  %s::uuid[], %s::bigint[], %s::smallint[]) r(t, p, o, dialect, failed_at, expires_at, group_id, origin_t,"
        "  origin_p, origin_o, class, message, key_hash, key_text, size_bytes, trace_id, span_id, n_attempts)"
        " on conflict do nothing returning topic_id, kafka_partition, kafka_offset, id",
        [now, *columns(rows)],
    )
    return {(t, p, o): number for t, p, o, number in cursor.fetchall()}


def _letter_row(each: _Parking) -> tuple[object, ...]:
    record, letter = each.record, each.letter
    trace, span = contexts.writer(record) or (None, None)
    headers = sum(len(name.encode("utf-8", "replace")) + len(value or b"") for name, value in record.headers)
    return (
        *each.at,
        letter.dialect,
        each.failed_at,
        each.expires_at,
        each.group_id,
        each.origin_topic_id,
        letter.origin.partition,
        letter.origin.offset,
        letter.exception_class,
        letter.message,
        key_hash(key := own_key(letter, record)),
        key_text(key),
        len(record.key or b"") + len(record.value or b"") + headers,
        UUID(bytes=trace) if trace else None,
        int.from_bytes(span, "big", signed=True) if span else None,
        letter.attempts,
    )
