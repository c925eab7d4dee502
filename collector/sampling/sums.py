"""Sums of samples: kept up scan by scan with the newest values, written when their ten minutes are over.

Which ten minutes are open is that of the last stored scan, and what they sum up is stored with that scan: whoever dies
in between finds both again, and closes them once.
"""

from collections.abc import Collection
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.sampling.memory import Memory, Pair
from collector.store import sample_sums
from collector.store.sample_sums import GroupSum, TopicSum, bucket


def closing(known: Memory, at: datetime) -> datetime | None:
    """The ten minutes that are over with a scan at `at`, if there are any."""
    if known.scanned_at is None or bucket(known.scanned_at) == bucket(at):
        return None
    return bucket(known.scanned_at)


def close(cursor: CursorWrapper, known: Memory, bucket_at: datetime) -> None:
    """Write the sums of ten minutes where they differ from the last ones, or begin a day; new ones begin."""
    day = bucket_at.date()
    topics = []
    for topic_id, ends in known.ends.items():
        if ends.summed != (day, ends.n_total):
            ends.summed = (day, ends.n_total)
            topics.append(TopicSum(topic_id, ends.n_total))
    groups = []
    for key, pair in known.pairs.items():
        said = _sum(key, pair)
        if pair.sums.written != (day, said):
            pair.sums.written = (day, said)
            groups.append(said)
        pair.sums.worst_lag, pair.sums.worst_seconds = None, None
    sample_sums.set_topic_sums(cursor, bucket_at, topics)
    sample_sums.set_group_sums(cursor, bucket_at, groups)
    sample_sums.sum_up_hour(cursor, bucket_at, known.ends)
    sample_sums.count_scans(cursor, known.cluster_id, bucket_at)


def end(cursor: CursorWrapper, known: Memory, keys: list[tuple[int, int]], at: datetime) -> None:
    """These groups read these topics no more: from here on nothing is known of them."""
    gone = [_sum(key, known.pairs[key]) for key in keys]
    sample_sums.set_group_sums(
        cursor,
        bucket(at),
        [
            GroupSum(each.topic_id, each.group_id, each.n_total, None, each.worst_lag, each.worst_seconds)
            for each in gone
        ],
    )


def end_topics(cursor: CursorWrapper, known: Memory, topic_ids: Collection[int], at: datetime) -> None:
    """These topics are gone, and with them whoever read them: what they counted since is summed up at once."""
    ended = [TopicSum(topic_id, known.ends[topic_id].n_total) for topic_id in topic_ids if topic_id in known.ends]
    sample_sums.set_topic_sums(cursor, bucket(at), ended)
    end(cursor, known, [key for key in known.pairs if key[0] in topic_ids], at)
    sample_sums.sum_up_hour(cursor, bucket(at), topic_ids)


def _sum(key: tuple[int, int], pair: Pair) -> GroupSum:
    own = pair.sums
    return GroupSum(*key, own.n_total, own.lag, own.worst_lag, own.worst_seconds)
