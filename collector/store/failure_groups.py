"""Failure groups: which one a failure belongs to, made if missing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.backends.utils import CursorWrapper

from collector.domain.fingerprints import Fingerprint
from collector.store.later_deaths import columns

ANY = UUID(int=0)  # the detail of a group that was not split
SPLIT = 1  # stands in what is known beside the details of a group that was
Key = tuple[int, int, int, int]  # version, digest, cluster id, detail: UUIDs as numbers, which are hashed in no time


@dataclass(slots=True)  # not frozen, as Record is not; never changed
class Failure:
    """What a letter's group is found by, and made from. `before`: its fingerprint by the version of the rules before.

    `topic_id`: where it came from, else the dead-letter topic.
    """

    fingerprint: Fingerprint
    before: Fingerprint | None
    cluster_id: int
    group_id: int | None
    topic_id: int
    exception_class: str
    failed_at: datetime


def groups_of(cursor: CursorWrapper, failures: Sequence[Failure]) -> list[int]:
    """The id of each failure's group. Fingerprints stay locked, so that no merge overlooks who comes meanwhile.

    `note_times` belongs to it, as late in the transaction as can be.
    """
    known = _known(cursor, [each.fingerprint for each in failures])
    keys = [_key(known, each) for each in failures]
    if not all(key in known for key in keys):
        cursor.execute("select pg_advisory_xact_lock(hashtext('weir.failure groups'))")
        known = _known(cursor, [each.fingerprint for each in failures])
        known |= _adopted(cursor, _missing(known, failures))
        known |= _made(cursor, _missing(known, failures))
        keys = [_key(known, each) for each in failures]
    return [known[key] for key in keys]


def _key(known: Mapping[Key, int], of: Failure) -> Key:
    """The one for its message, where the group was split by that; else the usual one."""
    version, digest, cluster = of.fingerprint.version, of.fingerprint.digest.int, of.cluster_id
    if (version, digest, cluster, SPLIT) not in known:
        return version, digest, cluster, ANY.int
    exact = version, digest, cluster, of.fingerprint.detail.int
    return exact if exact in known else (version, digest, cluster, ANY.int)


def _missing(known: Mapping[Key, int], failures: Sequence[Failure]) -> list[Failure]:
    return [each for each in failures if _key(known, each) not in known]


def _known(cursor: CursorWrapper, wanted: Sequence[Fingerprint]) -> dict[Key, int]:
    if not wanted:
        return {}
    cursor.execute(
        "select version, digest, cluster_id, detail, failure_group_id from failure_fingerprint"
        " where version = any(%s) and digest = any(%s) order by 1, 2, 3, 4 for share",
        [sorted({each.version for each in wanted}), list({each.digest.int: each.digest for each in wanted}.values())],
    )
    found = cursor.fetchall()
    return _marked({(version, digest.int, cluster, its.int): group for version, digest, cluster, its, group in found})


def _marked(found: dict[Key, int]) -> dict[Key, int]:
    """With a key SPLIT for each digest of which some are told by their message."""
    split = {key[:3] for key in found if key[3] != ANY.int}
    return found | {(*own, SPLIT): 0 for own in split}


def _adopted(cursor: CursorWrapper, missing: Sequence[Failure]) -> dict[Key, int]:
    """New fingerprints of groups that the version before made: the first that comes of one takes its place."""
    found: dict[Key, int] = {}
    for each in missing:
        new, old = each.fingerprint, each.before
        if old is None or _key(found, each) in found:
            continue
        cursor.execute(
            "insert into failure_fingerprint (version, digest, cluster_id, detail, failure_group_id, home_id)"
            " select %s, %s, f.cluster_id, f.detail, f.failure_group_id, f.home_id from failure_fingerprint f"
            " where f.version = %s and f.digest = %s and f.cluster_id = %s"
            "  and not exists (select from failure_fingerprint n where n.version = %s and n.home_id = f.home_id)"
            " returning detail, failure_group_id",
            [new.version, new.digest, old.version, old.digest, each.cluster_id, new.version],
        )
        own = new.version, new.digest.int, each.cluster_id
        found |= {(*own, detail.int): group for detail, group in cursor.fetchall()}
    return _marked(found)


def _made(cursor: CursorWrapper, missing: Sequence[Failure]) -> dict[Key, int]:
    """A group for each new fingerprint."""
    first = {(each.fingerprint.version, each.fingerprint.digest, each.cluster_id): each for each in reversed(missing)}
    if not first:
        return {}
    cursor.execute(
        "select nextval(pg_get_serial_sequence('failure_group', 'id')) from generate_series(1, %s)", [len(first)]
    )
    ids = [number for (number,) in cursor.fetchall()]
    cursor.execute(
        "insert into failure_group (id, cluster_id, group_id, topic_id, exception_class, title, first_at, last_at)"
        " overriding system value select * from unnest(%s::bigint[], %s::smallint[], %s::int[], %s::int[], %s::text[],"
        "  %s::text[], %s::timestamptz[], %s::timestamptz[])",
        columns(
            [
                (
                    number,
                    one.cluster_id,
                    one.group_id,
                    one.topic_id,
                    one.exception_class,
                    one.fingerprint.title,
                    one.failed_at,
                    one.failed_at,
                )
                for number, one in zip(ids, first.values(), strict=True)
            ]
        ),
    )
    cursor.execute(
        "insert into failure_fingerprint (version, digest, cluster_id, failure_group_id, home_id)"
        " select version, digest, cluster_id, id, id from unnest(%s::smallint[], %s::uuid[], %s::smallint[],"
        "  %s::bigint[]) r(version, digest, cluster_id, id)",
        columns([(*key, number) for key, number in zip(first, ids, strict=True)]),
    )
    return {
        (version, digest.int, cluster, ANY.int): number
        for (version, digest, cluster), number in zip(first, ids, strict=True)
    }


def note_times(cursor: CursorWrapper, placed: Iterable[tuple[int, Failure]]) -> None:
    """First and last death of each group. Sorted locks, so that two of these never wait in a circle.

    Whoever else parks letters of these groups waits from here to the end of the transaction.
    """
    times: dict[int, tuple[datetime, datetime]] = {}
    for group, each in placed:
        first, last = times.get(group, (each.failed_at, each.failed_at))
        times[group] = min(first, each.failed_at), max(last, each.failed_at)
    if times:
        cursor.execute(
            "with t as (select * from unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[]) t(id, first, last)),"
            " locked as (select g.id from failure_group g join t using (id) where t.first < g.first_at"
            "  or t.last > g.last_at or g.emptied_into is not null order by g.id for no key update of g)"
            " update failure_group g set first_at = least(g.first_at, t.first), last_at = greatest(g.last_at, t.last),"
            "  emptied_into = null from t join locked using (id) where g.id = t.id",
            columns([(group, *between) for group, between in sorted(times.items())]),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A group as a merge finds it: of which cluster and consumer group, and merged into which other one."""

    cluster_id: int
    group_id: int | None
    merged_into: int | None


def locked(cursor: CursorWrapper, groups: Sequence[int]) -> dict[int, Standing]:
    """Those that are there, by their ids, until the transaction ends."""
    cursor.execute(
        "select id, cluster_id, group_id, merged_into from failure_group where id = any(%s) order by id for update",
        [list(groups)],
    )
    return {number: Standing(*row) for number, *row in cursor.fetchall()}


def point(cursor: CursorWrapper, group: int, *, to: int) -> None:
    """Whatever belongs to `group` belongs to the other one, and so does what was merged into it before."""
    cursor.execute("update failure_fingerprint set failure_group_id = %s where failure_group_id = %s", [to, group])
    cursor.execute("update failure_group set merged_into = %s where %s in (id, merged_into)", [to, group])


def point_back(cursor: CursorWrapper, home: int) -> None:
    """Whatever was made for the group belongs to it again."""
    cursor.execute("update failure_fingerprint set failure_group_id = home_id where home_id = %s", [home])
    cursor.execute("update failure_group set merged_into = null, emptied_into = null where id = %s", [home])


def split_off(cursor: CursorWrapper, group: int, *, details: Sequence[UUID], title: str, version: int) -> int:
    """A new group for those of `group` whose message has one of these details; its id."""
    cursor.execute(
        "insert into failure_group (cluster_id, group_id, topic_id, exception_class, title, first_at, last_at)"
        " select cluster_id, group_id, topic_id, exception_class, %s, first_at, last_at from failure_group"
        " where id = %s returning id",
        [title, group],
    )
    made = int(cursor.fetchone()[0])
    cursor.execute(
        "insert into failure_fingerprint (version, digest, cluster_id, detail, failure_group_id, home_id)"
        " select distinct f.version, f.digest, f.cluster_id, d.detail, %(made)s::bigint, %(made)s::bigint"
        " from failure_fingerprint f cross join unnest(%(details)s::uuid[]) d(detail)"
        " where f.failure_group_id = %(group)s and f.version = %(version)s"
        "  and f.detail = any(%(any)s::uuid[] || d.detail)"
        " on conflict (version, digest, cluster_id, detail) do update set failure_group_id = excluded.failure_group_id",
        {"made": made, "details": list(details), "group": group, "version": version, "any": [ANY]},
    )
    return made
