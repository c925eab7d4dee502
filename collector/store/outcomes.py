"""What became of what was sent: only from what was observed, never from a header alone; each step is repeatable."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.dead_letters import LETTER_OF_ITEM, ItemStatus, LetterStatus
from collector.domain.passing import Behind, in_retry
from collector.domain.topology import Evidence
from collector.store import retry_hops
from collector.store.later_deaths import columns
from collector.store.letter_states import move

_BETTER = timedelta(minutes=10)  # so long a trace may still make "processed" of "passed"
_SOON_BETTER = timedelta(seconds=20)
_REMEMBERED = timedelta(days=7)
# Items whose outcome is waited for. Each look reads those alone; what stayed silent is looked at once a minute.
_NEAR = (
    "select i.* from retry_operation o join retry_item i on i.operation_id = o.id and i.status = 2"
    " where (o.ended_at is null or o.ended_at > %(now)s - make_interval(secs => o.wait_seconds + 600))"
    "  and i.sent_at > %(now)s - make_interval(secs => o.wait_seconds + 60)"
)
_ALL = (
    "select i.* from retry_operation o join retry_item i on i.operation_id = o.id and i.status = 2"
    " where i.sent_at > %(remembered)s"
)
_GROUP = (
    " cross join lateral (select coalesce(d.group_id, (select min(r.group_id) from group_now r"
    "  where r.topic_id = i.target_topic_id having count(*) = 1)) id) g"
)

_MOST_AT_ONCE = 5_000
# Where its copies came to on retry topics; the copy that Weir sent may lie on one itself.
_HOPS = (
    "select h.* from retry_hop h where h.attempt_id = i.attempt_id and (h.topic_id, h.kafka_partition,"
    " h.kafka_offset) is distinct from (i.target_topic_id, i.sent_partition, i.sent_offset)"
)
_RETRIED = (
    f"select 1 from ({_HOPS}) h join span s on s.topic_id = h.topic_id and s.kafka_partition = h.kafka_partition"  # noqa: S608
    "  and s.kafka_offset = h.kafka_offset and s.op = 3 and s.status <> 2 and s.stored_at <= %(seen)s"
    "  and s.stored_at > i.sent_at - interval '10 minutes' join edge e on e.id = s.edge_id and e.kind = 2"
    " where e.group_id = g.id or e.service_id in (select b.service_id from edge b where b.kind = 2"
    "  and b.group_id = g.id)"
)


# Another letter says that it died there: with other bytes, so it is none of this one's deaths, but no success either.
_DIED_THERE = (
    "exists (select 1 from dead_letter x where x.origin_topic_id = i.target_topic_id"
    "  and x.origin_partition = i.sent_partition and x.origin_offset = i.sent_offset and x.id <> i.dead_letter_id"
    "  and (x.group_id = g.id or (x.topic_id = d.topic_id and (x.group_id is null or g.id is null))))"
)


def failed_again(cursor: CursorWrapper, *, now: datetime, looks_far: bool) -> int:
    """A later death is there: the letter is open again. It counts also when an outcome was drawn too early."""
    since = now - (_REMEMBERED if looks_far else _BETTER)
    cursor.execute(
        "update retry_item i set status = %s, ended_at = %s, outcome = a.exception_class, evidence = 0"
        " from dead_letter_again a where a.seen_at > %s and a.attempt_id = i.attempt_id and i.status in (2, 3, 4, 5)"
        " returning i.dead_letter_id",
        [int(ItemStatus.FAILED_AGAIN), now, since],
    )
    return _settled(
        cursor,
        ItemStatus.FAILED_AGAIN,
        out_of=(LetterStatus.SENT, LetterStatus.UNKNOWN, LetterStatus.PROCESSED, LetterStatus.PASSED),
        now=now,
    )


def processed(cursor: CursorWrapper, *, now: datetime, wait: timedelta, looks_far: bool) -> int:
    """A process span of the group at the sent position, without error, and `wait` later still no death there.

    The group is the failed one, or the only one that reads the target where the dead letter names none.
    A span that only received proves nothing: some libraries end it before anything was done. Where the event went to
    a retry topic, the span at its place there counts, by a service that reads for the group.
    """
    cursor.execute(
        "update retry_item u set status = %(status)s, ended_at = %(now)s, outcome = '',"  # noqa: S608  of constants
        " evidence = u.evidence | %(traced)s"
        f" from ({_ALL if looks_far else _NEAR}"
        "  union all select i.* from retry_item i where i.status = 5 and i.ended_at > %(better)s) i"
        f" join dead_letter d on d.id = i.dead_letter_id {_GROUP}"
        " where u.attempt_id = i.attempt_id and u.status in (2, 5)"
        "  and (exists (select 1 from span s join edge e on e.id = s.edge_id and e.kind = 2"
        "   left join group_hint h on h.service_id = e.service_id and h.topic_id = e.topic_id"
        "   where s.topic_id = i.target_topic_id and s.kafka_partition = i.sent_partition"
        "    and s.kafka_offset = i.sent_offset and s.op = 3 and s.status <> 2 and s.stored_at <= %(seen)s"
        "    and s.stored_at > i.sent_at - interval '10 minutes'"
        f"    and coalesce(e.group_id, h.group_id) = g.id) or exists ({_RETRIED})) and not {_DIED_THERE}"
        " returning u.dead_letter_id",
        {
            "status": int(ItemStatus.PROCESSED),
            "now": now,
            "traced": int(Evidence.TRACED),
            "remembered": now - _REMEMBERED,
            "better": now - (_BETTER if looks_far else _SOON_BETTER),
            "seen": now - wait,
        },
    )
    return _settled(cursor, ItemStatus.PROCESSED, out_of=(LetterStatus.SENT, LetterStatus.PASSED), now=now)


def passed(cursor: CursorWrapper, *, now: datetime, wait: timedelta, looks_far: bool) -> int:
    """The group's committed offset is behind the sent position, and `wait` after that was seen still no death.

    What the group tries again has not passed: see collector.domain.passing. An offset beyond the partition's end was
    set by somebody, not reached by reading; a group that went back has to pass it again.
    """
    cursor.execute(
        "update retry_item u set passed_at = case when f.is_past then %(now)s::timestamptz end from"  # noqa: S608
        " (select i.attempt_id, n.committed[i.sent_partition + 1] > i.sent_offset"
        "   and n.committed[i.sent_partition + 1] <= e.high[i.sent_partition + 1] is_past"
        f"  from ({_ALL if looks_far else _NEAR}) i join dead_letter d on d.id = i.dead_letter_id {_GROUP}"
        "  join group_now n on n.group_id = g.id and n.topic_id = i.target_topic_id"
        "  join topic_now e on e.topic_id = i.target_topic_id) f"
        " where u.attempt_id = f.attempt_id and (u.passed_at is null) = f.is_past",
        {"now": now, "remembered": now - _REMEMBERED},
    )
    retry_hops.pass_on(cursor, now=now)
    tried = {attempt: in_retry(behind, wait=wait) for attempt, behind in _behind(cursor, now=now, wait=wait)}
    held = sorted((attempt, number) for attempt, number in tried.items() if number is not None)
    if held:
        cursor.execute(
            "update retry_item i set in_retry = f.n from unnest(%s::uuid[], %s::smallint[]) f(attempt_id, n)"
            " where i.attempt_id = f.attempt_id and i.status = 2",
            columns(held),
        )
    cursor.execute(
        "update retry_item set status = %s, ended_at = %s, outcome = '', evidence = evidence | %s"
        " where status = 2 and attempt_id = any(%s) returning dead_letter_id",
        [int(ItemStatus.PASSED), now, int(Evidence.OFFSETS), [each for each, number in tried.items() if not number]],
    )
    return _settled(cursor, ItemStatus.PASSED, out_of=(LetterStatus.SENT,), now=now)


def _behind(cursor: CursorWrapper, *, now: datetime, wait: timedelta) -> list[tuple[UUID, Behind]]:
    """Sends without an outcome that their group's offset passed `wait` ago, by attempt; of those that are known to be
    in retry only the ones of which the newest copy was passed, too."""
    cursor.execute(
        "select i.attempt_id, (select count(*) from span s join edge e on e.id = s.edge_id and e.kind = 2"  # noqa: S608
        "   left join group_hint h on h.service_id = e.service_id and h.topic_id = e.topic_id"
        "   where s.topic_id = i.target_topic_id and s.kafka_partition = i.sent_partition"
        "    and s.kafka_offset = i.sent_offset and s.op = 3 and s.status = 2"
        "    and s.stored_at > i.sent_at - interval '10 minutes' and coalesce(e.group_id, h.group_id) = g.id),"
        "  w.n_failed, %(now)s - w.passed_at"
        " from (select * from retry_item where status = 2 and passed_at <= %(then)s and passed_at > %(remembered)s"
        "    and in_retry is null"
        "   union select i.* from retry_hop h join retry_item i using (attempt_id) where i.status = 2"
        "    and i.passed_at <= %(then)s and h.passed_at between %(a_day_before)s and %(then)s) i"
        f" join dead_letter d on d.id = i.dead_letter_id {_GROUP}"
        f" left join lateral ({_HOPS} order by h.n_failed desc, h.seen_at desc limit 1) w on true"
        f" where not {_DIED_THERE} limit %(most)s",  # behind the filter: what it holds back would take all places
        {
            "now": now,
            "then": now - wait,
            "remembered": now - _REMEMBERED,
            "a_day_before": now - timedelta(days=1),
            "most": _MOST_AT_ONCE,
        },
    )
    return [(attempt, Behind(errors, failed, since)) for attempt, errors, failed, since in cursor.fetchall()]


def finish(cursor: CursorWrapper, *, now: datetime) -> int:
    """Operations with nothing left to send, and no outcome that is still waited for, are done."""
    cursor.execute(
        "with done as (update retry_operation o set status = 2, ended_at = %s, waits_for_person = false, trouble = ''"
        " where status in (0, 1) and not exists (select 1 from retry_count c where c.operation_id = o.id"
        "  and c.status in (0, 1) and c.n > 0)"
        "  and not exists (select 1 from retry_item i where i.operation_id = o.id and i.status = 2"
        "   and i.sent_at > %s - make_interval(secs => o.wait_seconds))"
        " returning id)"
        " insert into retry_log (operation_id, at, person_name, what) select id, %s, '', 'done' from done",
        [now, now, now],
    )
    return int(cursor.rowcount)


def _settled(cursor: CursorWrapper, status: ItemStatus, *, out_of: tuple[LetterStatus, ...], now: datetime) -> int:
    letters = [letter for (letter,) in cursor.fetchall()]
    deaths = int(status is ItemStatus.FAILED_AGAIN)
    move(cursor, letters, LETTER_OF_ITEM[status], out_of=out_of, now=now, deaths=deaths)
    return len(letters)
