"""Later deaths: which dead letters are of a record that Weir had sent back, and of which send."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import DeadLetter, Place
from collector.domain.fingerprints import fingerprint
from collector.domain.records import Record
from collector.domain.resending import attempt_id
from collector.store.letter_names import Places

Found = tuple[Record, int, DeadLetter]  # a record, the id of the topic it lies on, and what its headers say
At = tuple[int, int, int]  # topic id, partition, offset


@dataclass(frozen=True, slots=True)
class Sent:
    """The send that a letter died of again. `origin`, `group`: the letter's own; `digests`: of its failure group."""

    dead_letter_id: int
    attempt_id: UUID
    origin: str | None
    group: str | None
    digests: frozenset[UUID]


def position(found: Found) -> At:
    """Where the record lies."""
    return found[1], found[0].partition, found[0].offset


def columns(rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    """Rows as the arrays that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def matched(
    cursor: CursorWrapper, found: Sequence[Found], places: Places, *, on_the_way: bool = False
) -> dict[At, Sent]:
    """Which of them are later deaths of letters that were sent, and of which send.

    Another group's failure on the copy is a dead letter of its own, and so is that of a service which passed the
    headers on with other content. Where one of the two names no group, only the same dead-letter topic says that it is
    the same one; `on_the_way`: of records on retry topics, which name none as a rule, that is not asked.
    """
    claims = _claims(cursor, found, places)
    if not claims:
        return {}
    cursor.execute(
        "with f as (select * from unnest(%s::int[], %s::int[], %s::bigint[], %s::uuid[], %s::int[], %s::int[],"
        "  %s::int[], %s::bigint[]) f(t, p, o, attempt_id, group_id, topic_id, part, off))"
        " select f.t, f.p, f.o, f.group_id, i.attempt_id from f join retry_item i using (attempt_id)"
        "   where (f.topic_id is null or f.topic_id = i.target_topic_id) and (f.off is null or i.search_from is null"
        "    or f.off >= coalesce((i.search_from ->> f.part::text)::bigint, 0))"
        "  union all"
        "  select f.t, f.p, f.o, f.group_id, i.attempt_id from f join retry_item i"
        "   on i.target_topic_id = f.topic_id and i.sent_partition = f.part and i.sent_offset = f.off",
        columns(claims),
    )
    if not (hits := cursor.fetchall()):
        return {}
    values = {position(each): each[0].value for each in found}
    cursor.execute(
        "with hit as (select * from unnest(%s::int[], %s::int[], %s::bigint[], %s::int[], %s::uuid[], %s::bytea[])"
        "  hit(t, p, o, group_id, attempt, value))"
        " select hit.t, hit.p, hit.o, d.id, hit.attempt, ot.name, g.name,"
        "  array(select c.digest from letter_state s join failure_fingerprint c using (failure_group_id)"
        "   where s.dead_letter_id = d.id)"
        " from hit join retry_item n on n.attempt_id = hit.attempt join dead_letter d on d.id = n.dead_letter_id"
        "  join dead_letter_body b on b.dead_letter_id = d.id"
        "  left join topic ot on ot.id = d.origin_topic_id left join consumer_group g on g.id = d.group_id"
        " where case when n.edited_headers is null then b.value else n.edited_value end is not distinct from hit.value"
        "  and case when hit.group_id is not null and d.group_id is not null then hit.group_id = d.group_id else"
        "   %s or exists (select 1 from topic a join topic b using (cluster_id, name)"
        "    where a.id = hit.t and b.id = d.topic_id)"
        "  end",
        [*columns([(*hit, values[hit[0], hit[1], hit[2]]) for hit in hits]), on_the_way],
    )
    return {
        (t, p, o): Sent(letter, attempt, origin, group, frozenset(digests))
        for t, p, o, letter, attempt, origin, group, digests in cursor.fetchall()
    }


def _claims(cursor: CursorWrapper, found: Sequence[Found], places: Places) -> list[tuple[object, ...]]:
    """Which attempt each says it is of, and where it says it died: last, and first where that differs.

    Of those that may be of a send at all: by an attempt, or because somebody sent to that topic.
    """
    named = {(topic_id, place.topic) for _, topic_id, letter in found for place in (letter.latest, letter.origin)}
    topics = {each: number for each in named if (number := places.topic(*each)) is not None}
    cursor.execute(
        "select t from unnest(%s::int[]) t where exists (select from retry_item i where i.target_topic_id = t"
        " and i.sent_offset is not null)",
        [sorted(set(topics.values()))],
    )
    targets = {number for (number,) in cursor.fetchall()}
    rows: list[tuple[object, ...]] = []
    for each in found:
        record, topic_id, letter = each
        attempt = attempt_id(record)
        if attempt is None and not targets:
            continue
        places_named = {letter.latest, letter.origin}
        if attempt is None and not any(topics.get((topic_id, place.topic)) in targets for place in places_named):
            continue
        said = (*position(each), attempt, places.group(topic_id, letter.group))
        for place in places_named:
            rows.append((*said, topics.get((topic_id, place.topic)), place.partition, place.offset))
    return rows


def is_same(found: Found, sent: Sent) -> bool:
    """Whether it died as before: the same fingerprint, had it lain where it died first."""
    record, _, letter = found
    as_before = replace(letter, origin=Place(sent.origin), group=sent.group)
    return fingerprint(as_before, dead_letter_topic=record.topic).digest in sent.digests


def write(cursor: CursorWrapper, again: Sequence[tuple[Found, Sent]], *, now: datetime) -> None:
    """Store them; the sweep of outcomes draws the conclusions."""
    if again:
        cursor.execute(
            "insert into dead_letter_again (topic_id, kafka_partition, kafka_offset, dead_letter_id, attempt_id,"
            "  seen_at, failed_at, exception_class, message, same_failure)"
            " select t, p, o, letter, attempt, %s, failed_at, class, message, same from unnest(%s::int[], %s::int[],"
            "  %s::bigint[], %s::bigint[], %s::uuid[], %s::timestamptz[], %s::text[], %s::text[], %s::boolean[])"
            "  r(t, p, o, letter, attempt, failed_at, class, message, same) on conflict do nothing",
            [
                now,
                *columns(
                    [
                        (
                            *position(found),
                            sent.dead_letter_id,
                            sent.attempt_id,
                            found[2].failed_at or now,
                            found[2].exception_class,
                            found[2].message,
                            is_same(found, sent),
                        )
                        for found, sent in again
                    ]
                ),
            ],
        )
