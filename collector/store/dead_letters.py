"""Dead letters as the intake finds them: parked once, in the transaction that saves the batch they came in."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import MappingProxyType

from django.db.backends.utils import CursorWrapper

from collector.domain import contexts
from collector.domain.dead_letters import LetterStatus
from collector.domain.fingerprints import CURRENT, Fingerprint, Fingerprinting
from collector.domain.frames import packed
from collector.domain.records import Record, size_of
from collector.store import failure_groups, later_deaths, letter_counts, letter_names, letter_rows
from collector.store.copying import copy_packed
from collector.store.failure_groups import Failure
from collector.store.later_deaths import At, Found, columns, position
from collector.store.letter_names import Places
from collector.store.letter_rows import Parcel
from collector.store.rows import moment

_NONE: Mapping[At, Parcel] = MappingProxyType({})


def park(
    cursor: CursorWrapper,
    found: Sequence[Found],
    *,
    now: datetime,
    fingerprinting: Fingerprinting = CURRENT,
    parcels: Mapping[At, Parcel] = _NONE,
) -> Collection[At]:
    """Store new dead letters; those whose bytes are kept now. One that is there already changes nothing, so a batch
    may be read again. `parcels`: of those that have one already, made by the same rules.

    A letter that Weir sent back and that died again is no new one: it becomes a row of dead_letter_again. Its proof is
    the attempt's id (128 random bits) or the position it was sent to, and besides the same value, group and topic
    (a header alone proves nothing).
    """
    at = {position(each): each for each in found}
    _lock(cursor, at)
    known = _known(cursor, at)
    fresh = [_dated(each, now) for place, each in at.items() if place not in known]
    if not fresh:
        return known
    places = letter_names.places(cursor, [(topic_id, letter) for _, topic_id, letter in fresh])
    again = later_deaths.matched(cursor, fresh, places)
    later_deaths.write(cursor, [(each, again[position(each)]) for each in fresh if position(each) in again], now=now)
    new = [
        _parking(each, parcels.get(place) or _parcel(each, fingerprinting), places, fingerprinting, now)
        for each in fresh
        if (place := position(each)) not in again
    ]
    if new:
        _write_new(cursor, new, now)
    return known | {each.at for each in new}


def _parcel(found: Found, fingerprinting: Fingerprinting) -> Parcel:
    record, _, letter = found
    told, size, context = fingerprinting.of(letter, record.topic), size_of(record), contexts.writer(record)
    made = letter_rows.parcel(record, letter, told, size_bytes=size, context=context)
    (made.headers,) = packed([record.headers])
    return made


@dataclass(slots=True)  # not frozen, as Record is not; never changed
class _Parking:
    """One new letter with everything that its rows hold."""

    at: At
    record: Record
    parcel: Parcel
    failure: Failure
    failed_at: datetime
    expires_at: datetime | None
    group_id: int | None
    origin_topic_id: int | None


def _dated(found: Found, now: datetime) -> Found:
    """With a time of failure that is not still to come, whatever a header or a record's time claims."""
    record, topic_id, letter = found
    if letter.failed_at is not None and letter.failed_at <= now:
        return found
    return record, topic_id, replace(letter, failed_at=now)


def _lock(cursor: CursorWrapper, wanted: Iterable[At]) -> None:
    """Who parks letters of a partition is alone there, so that what is not known yet can be copied. In one order."""
    cursor.execute(
        "select pg_advisory_xact_lock(t, p) from unnest(%s::int[], %s::int[]) f(t, p)",
        columns(sorted({(topic, partition) for topic, partition, _ in wanted})),
    )


def _known(cursor: CursorWrapper, wanted: Iterable[At]) -> set[At]:
    """Positions that are stored already, as letters or as later deaths: of each partition from the first to the last
    that is wanted."""
    between: dict[tuple[int, int], tuple[int, int]] = {}
    for topic_id, partition, offset in wanted:
        first, last = between.get((topic_id, partition), (offset, offset))
        between[topic_id, partition] = min(first, offset), max(last, offset)
    if not between:
        return set()
    cursor.execute(
        "with f as (select * from unnest(%s::int[], %s::int[], %s::bigint[], %s::bigint[])"
        "  f(topic_id, kafka_partition, first, last))"
        " select topic_id, kafka_partition, kafka_offset from dead_letter"
        " join f using (topic_id, kafka_partition) where kafka_offset between first and last"
        " union all select topic_id, kafka_partition, kafka_offset from dead_letter_again"
        " join f using (topic_id, kafka_partition) where kafka_offset between first and last",
        columns([(*place, *ends) for place, ends in between.items()]),
    )
    return set(cursor.fetchall())


def failure_of(
    found: Found,
    places: Places,
    fingerprinting: Fingerprinting,
    *,
    failed_at: datetime,
    fingerprint: Fingerprint | None = None,
) -> Failure:
    """What the letter's failure group is found by. `fingerprint`: by these rules, where it is known."""
    record, topic_id, letter = found
    before = fingerprinting.before
    return Failure(
        fingerprint=fingerprint or fingerprinting.of(letter, record.topic),
        before=before.of(letter, record.topic) if before else None,
        cluster_id=places.clusters.get(topic_id, 0),
        group_id=places.group(topic_id, letter.group),
        topic_id=places.topic(topic_id, letter.origin.topic) or topic_id,
        exception_class=letter.exception_class,
        failed_at=failed_at,
    )


def _parking(found: Found, parcel: Parcel, places: Places, fingerprinting: Fingerprinting, now: datetime) -> _Parking:
    record, topic_id, letter = found
    kept_for = places.kept_for(topic_id)
    failed_at = letter.failed_at or now
    failure = failure_of(found, places, fingerprinting, failed_at=failed_at, fingerprint=parcel.fingerprint)
    return _Parking(
        at=position(found),
        record=record,
        parcel=parcel,
        failure=failure,
        failed_at=failed_at,
        expires_at=_expiry(record.produced_at or now, kept_for),
        group_id=failure.group_id,
        origin_topic_id=places.topic(topic_id, letter.origin.topic),
    )


def _expiry(since: datetime, kept_for: timedelta | None) -> datetime | None:
    """None where nobody knows, or no calendar says it."""
    try:
        return since + kept_for if kept_for else None
    except OverflowError:
        return None


def _write_new(cursor: CursorWrapper, new: Sequence[_Parking], now: datetime) -> None:
    """Times of groups and counts last and sorted: two collectors wait for each other briefly, and in one order."""
    groups = failure_groups.groups_of(cursor, [each.failure for each in new])
    cursor.execute(
        "with s as materialized (select pg_get_serial_sequence('dead_letter', 'id')::regclass ids)"  # looked up once
        " select array_agg(nextval(s.ids)) from s, generate_series(1, %s)",
        [len(new)],
    )
    (numbers,) = cursor.fetchone()
    now_us, status = moment(now), int(LetterStatus.OPEN)
    copy_packed(
        cursor,
        letter_rows.LETTER,
        [_letter(number, each, now_us) for number, each in zip(numbers, new, strict=True)],
    )
    bodies = [
        letter_rows.body(number, each.record, each.parcel.headers) for number, each in zip(numbers, new, strict=True)
    ]
    copy_packed(cursor, letter_rows.BODY, bodies)
    states = [
        letter_rows.state(number, group, status, each.parcel.n_sent + 1, now_us)
        for number, group, each in zip(numbers, groups, new, strict=True)
    ]
    copy_packed(cursor, letter_rows.STATE, states)
    failure_groups.note_times(cursor, zip(groups, [each.failure for each in new], strict=True))
    letter_counts.adjust(cursor, Counter((group, each.at[0], status) for group, each in zip(groups, new, strict=True)))


def _letter(number: int, each: _Parking, now_us: int) -> bytes:
    return letter_rows.letter(
        number,
        each.at,
        seen_us=now_us,
        failed_at=each.failed_at,
        expires_at=each.expires_at,
        group_id=each.group_id,
        origin_topic_id=each.origin_topic_id,
        tail=each.parcel.tail,
    )
