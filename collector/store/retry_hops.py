"""Copies of sent letters on the retry topics of the groups that failed them: on their way, neither dead nor passed."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.backends.utils import CursorWrapper

from collector.store import later_deaths, letter_names
from collector.store.later_deaths import Found, columns, position

_KEPT = timedelta(days=7)
_LATELY = timedelta(minutes=1)  # of what was passed before, the outcome is drawn


def note(cursor: CursorWrapper, found: Sequence[Found], *, now: datetime) -> None:
    """Keep which send each of these records of retry topics is of. A record that is known already changes nothing."""
    if not found:
        return
    places = letter_names.places(cursor, [(topic_id, letter) for _, topic_id, letter in found])
    sent = later_deaths.matched(cursor, found, places, on_the_way=True)
    hops = [
        (*at, sent[at].attempt_id, each[2].attempts or 1)
        for at, each in {position(each): each for each in found}.items()
        if at in sent
    ]
    if hops:
        cursor.execute(
            "insert into retry_hop (topic_id, kafka_partition, kafka_offset, attempt_id, n_failed, seen_at)"
            " select t, p, o, attempt_id, n, %s from unnest(%s::int[], %s::int[], %s::bigint[], %s::uuid[],"
            "  %s::smallint[]) f(t, p, o, attempt_id, n) on conflict do nothing",
            [now, *columns(hops)],
        )


def pass_on(cursor: CursorWrapper, *, now: datetime) -> None:
    """Note since when the only group that reads a retry topic is past a copy; forget what is a week old.

    An offset beyond the partition's end was set by somebody, not reached by reading; who went back passes it again.
    """
    cursor.execute("delete from retry_hop where seen_at < %s", [now - _KEPT])
    cursor.execute(
        "update retry_hop h set passed_at = case when f.is_past then %s::timestamptz end from"
        " (select w.topic_id, w.kafka_partition, w.kafka_offset,"
        "   n.committed[w.kafka_partition + 1] > w.kafka_offset"
        "   and n.committed[w.kafka_partition + 1] <= e.high[w.kafka_partition + 1] is_past"
        "  from retry_hop w join group_now n on n.topic_id = w.topic_id join topic_now e on e.topic_id = w.topic_id"
        "  where (w.passed_at is null or w.passed_at > %s)"
        "   and not exists (select from group_now o where o.topic_id = n.topic_id and o.group_id <> n.group_id)) f"
        " where (h.topic_id, h.kafka_partition, h.kafka_offset) = (f.topic_id, f.kafka_partition, f.kafka_offset)"
        "  and (h.passed_at is null) = f.is_past",
        [now, now - _LATELY],
    )
