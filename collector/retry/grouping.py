"""What people decide of failure groups: merge two, take one out again, split one by what its letters say."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.domain.fingerprints import VERSION, detail_of
from collector.domain.texts import cut
from collector.retry import records
from collector.retry.records import Asker
from collector.retry.refusals import NotNow
from collector.store import failure_groups, rereadings

MOST_KINDS = 20  # kinds of message that are split off at once
MOST_TITLE = 200


def merge(group: int, by: Asker, *, into: int, now: datetime) -> None:
    """Let the letters of one group, now and from now on, belong to another. Raises NotNow.

    The id that is merged leads to the other one; its letters follow in the background.
    """
    with _deed(by, now, "merge failure groups", group) as cursor:
        found = failure_groups.locked(cursor, [group, into])
        if group == into or len(found) < 2:
            raise NotNow("Choose another failure group.")
        if found[group].merged_into is not None or found[into].merged_into is not None:
            raise NotNow("One of the two was merged meanwhile. Look again.")
        if (found[group].cluster_id, found[group].group_id) != (found[into].cluster_id, found[into].group_id):
            raise NotNow("Only failures of one consumer group can be merged.")
        failure_groups.point(cursor, group, to=into)
        rereadings.ask(cursor, why="merge", failure_group=group, into=into, by=by.person_name, now=now)
        said = f"into failure group {into}"
        records.done_to(by, now, "merge failure groups", f"failure group {group}", reason=said)
        announce("letters")


def take_out(home: int, by: Asker, *, out_of: int, now: datetime) -> None:
    """Undo a merge: what would have been in `home` is there again. Raises NotNow."""
    with _deed(by, now, "take out failure group", home) as cursor:
        found = failure_groups.locked(cursor, [home, out_of])
        if len(found) < 2 or found[home].merged_into != out_of:
            raise NotNow("It is not merged into this group any more. Look again.")
        failure_groups.point_back(cursor, home)
        rereadings.ask(cursor, why="split", failure_group=out_of, by=by.person_name, now=now)
        said = f"out of failure group {out_of}"
        records.done_to(by, now, "take out failure group", f"failure group {home}", reason=said)
        announce("letters")


def split(group: int, by: Asker, *, says: Sequence[str], now: datetime) -> int:
    """Give letters with these (normalised) messages a group of their own; its id. Raises NotNow."""
    kinds = sorted({said.strip() for said in says if said.strip()})
    with _deed(by, now, "split failure group", group) as cursor:
        found = failure_groups.locked(cursor, [group])
        if not 0 < len(kinds) <= MOST_KINDS:
            raise NotNow(f"Choose 1 to {MOST_KINDS} kinds of message.")
        if group not in found or found[group].merged_into is not None:
            raise NotNow("It was merged meanwhile. Look again.")
        title = _title(cursor, group, kinds)
        details = [detail_of(said) for said in kinds]
        made = failure_groups.split_off(cursor, group, details=details, title=title, version=VERSION)
        rereadings.ask(cursor, why="split", failure_group=group, by=by.person_name, now=now)
        said = f"{len(kinds)} kinds of message into failure group {made}"
        records.done_to(by, now, "split failure group", f"failure group {group}", reason=said)
        announce("letters")
        return made


@contextmanager
def _deed(by: Asker, now: datetime, action: str, group: int) -> Iterator[CursorWrapper]:
    subject = f"failure group {group}"
    with records.refusals(by, now, action, subject), transaction.atomic(), connection.cursor() as cursor:
        yield cursor


def _title(cursor: CursorWrapper, group: int, kinds: Sequence[str]) -> str:
    """CardDeclined at Gateway.charge:88: no funds"""
    cursor.execute("select title from failure_group where id = %s", [group])
    more = f" and {len(kinds) - 1} more" if len(kinds) > 1 else ""
    return cut(f"{cursor.fetchone()[0]}: {kinds[0]}", MOST_TITLE - len(more)) + more
