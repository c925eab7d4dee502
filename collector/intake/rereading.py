"""Letters that were stored before, read again: by another mapping, by newer rules, or into another failure group."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector.changes import announce
from collector.domain.dialects import own_key
from collector.domain.fingerprints import CURRENT, Fingerprinting
from collector.domain.letter_forms import parked_form
from collector.intake.taps import TapRules
from collector.store import failure_groups, letter_names, rereadings
from collector.store.dead_letters import failure_of
from collector.store.rereadings import Read, Rereading, Stored

SLICE = 500  # letters in one transaction: others wait for their rows at most so long
RUN_SECONDS = 1.5  # of every two
SETTLE = timedelta(seconds=20)  # until then a collector may still read by the settings before


def run(rules: TapRules, *, now: Callable[[], datetime], seconds: float) -> None:
    """Go on with what was asked for, at most so long."""
    until = time.monotonic() + seconds
    while step(rules, now=now()) and time.monotonic() < until:
        pass


def step(rules: TapRules, *, now: datetime, fingerprinting: Fingerprinting = CURRENT, limit: int = SLICE) -> bool:
    """Read the next slice of the oldest job; whether there was one. Two at once do not hinder each other."""
    with transaction.atomic(), connection.cursor() as cursor:
        rereadings.catch_up(cursor, version=fingerprinting.version, now=now)
        job = rereadings.oldest(cursor)
        if job is None:
            return False
        letters, up_to = rereadings.next_letters(cursor, job, limit=limit)
        if up_to is None and job.last_id == rereadings.ENDLESS and now - job.asked_at < SETTLE:
            return False
        if up_to is None:
            rereadings.end(cursor, job, now=now)
            announce("letters")
            return True
        n_changed = _again(cursor, job, letters, rules, fingerprinting) if letters else 0
        rereadings.advance(cursor, job, up_to=up_to, n_done=len(letters), n_changed=n_changed)
        announce("letters")
        return True


def _again(
    cursor: CursorWrapper,
    job: Rereading,
    letters: Sequence[Stored],
    rules: TapRules,
    fingerprinting: Fingerprinting,
) -> int:
    """How many changed."""
    if job.into_id is not None:
        return len(rereadings.move(cursor, {each.id: job.into_id for each in letters}))
    found = [
        (each, record, read)
        for each in letters
        if (record := each.record) and (read := parked_form(record, rules.mapping_of(record.topic), rules.hidden))
    ]
    if not found:
        return 0
    places = letter_names.places(cursor, [(each.topic_id, letter) for each, _, letter in found])
    failed = [letter.failed_at or each.failed_at for each, _, letter in found]
    failures = [
        failure_of((record, each.topic_id, letter), places, fingerprinting, failed_at=at)
        for (each, record, letter), at in zip(found, failed, strict=True)
    ]
    groups = failure_groups.groups_of(cursor, failures)
    failure_groups.note_times(cursor, zip(groups, failures, strict=True))
    return rereadings.write(
        cursor,
        [
            Read(
                id=each.id,
                letter=letter,
                failed_at=at,
                failure_group_id=group,
                group_id=failure.group_id,
                origin_topic_id=places.topic(each.topic_id, letter.origin.topic),
                own_key=own_key(letter, record),
            )
            for (each, record, letter), at, group, failure in zip(found, failed, groups, failures, strict=True)
        ],
    )
