"""What sending many letters would do: who gets the copies, what they did with the originals, what comes after them."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from collector.domain.retry_targets import Permission
from collector.retry.destinations import Sorted
from collector.retry.rights import looked_up
from collector.store import blast_radius
from collector.store.freezing import Topic
from collector.store.target_rights import Right

SAMPLE = 100  # letters whose headers are looked at


@dataclass(frozen=True, slots=True)
class Reader:
    """A group that will get copies. `n_failed`: letters it gave up; `n_did`: originals of others that it has passed."""

    name: str
    topic: str
    n_failed: int
    n_gets: int
    n_did: int | None
    lag: int | None
    lag_seconds: float | None


@dataclass(frozen=True, slots=True)
class Target:
    """A topic that copies go to, why they may, and what to think of first. `right`: whether Weir may write there."""

    topic: str
    n: int
    why: str
    warnings: tuple[str, ...]
    right: Right | None


@dataclass(frozen=True, slots=True)
class Blast:
    """What a plan would do. `downstream`: topics and groups within two hops; `removed`: headers taken off."""

    targets: tuple[Target, ...]
    readers: tuple[Reader, ...]
    downstream: tuple[str, ...]
    removed: tuple[str, ...]
    n_keys: int


def blast(cursor: CursorWrapper, found: Sorted, *, left_out: Collection[int], now: datetime) -> Blast:
    """The blast radius of what can be sent, without those a person leaves out. Nine statements at most."""
    out = set(left_out)
    by_topic: Counter[int] = Counter()
    failed: Counter[tuple[int, int | None]] = Counter()
    topics: dict[int, tuple[Topic, Permission]] = {}
    pairs: list[tuple[int, int]] = []
    for kind, goes, why in found.sent:
        letters = [letter for letter in kind.letters if letter not in out]
        by_topic[goes.topic.id] += len(letters)
        failed[goes.topic.id, kind.group_id] += len(letters)
        topics[goes.topic.id] = (goes.topic, why)
        pairs += [(letter, goes.topic.id) for letter in letters]
    readers = blast_radius.readers(cursor, pairs)
    rights = looked_up(cursor, list(by_topic), now=now)
    limits = {number: topic.most_bytes for number, (topic, _) in topics.items() if topic.most_bytes is not None}
    large = blast_radius.n_too_large(cursor, pairs, limits)
    repeated = blast_radius.n_repeated(cursor, pairs)
    return Blast(
        targets=tuple(
            Target(
                topic.name,
                n,
                _why(why),
                _warnings(topic, n_too_large=large.get(number, 0), n_repeated=repeated.get(number, 0)),
                rights.get(number),
            )
            for number, n in by_topic.most_common()
            for topic, why in [topics[number]]
        ),
        readers=tuple(
            Reader(
                name=each.name,
                topic=topics[each.topic_id][0].name,
                n_failed=failed[each.topic_id, each.group_id],
                n_gets=by_topic[each.topic_id],
                n_did=each.n_did,
                lag=each.lag,
                lag_seconds=each.lag_seconds,
            )
            for each in readers
        ),
        downstream=blast_radius.downstream(cursor, list(by_topic), [each.group_id for each in readers]),
        removed=blast_radius.removed_headers(cursor, [letter for letter, _ in pairs[:SAMPLE]]),
        n_keys=blast_radius.n_keys(cursor, [letter for letter, _ in pairs]),
    )


def _why(why: Permission) -> str:
    if why is Permission.ORIGIN:
        return "Compared before each send: the origin must hold the same key and value."
    return f"{why}."


def _warnings(topic: Topic, *, n_too_large: int, n_repeated: int) -> tuple[str, ...]:
    found = []
    if topic.is_compacted:
        found.append("This topic is compacted: a copy takes the place of the newest event of its key.")
    if topic.n_partitions is None:
        found.append("The broker has not described this topic yet.")
    if n_repeated:
        found.append(f"Another letter of the same event goes there, too, for {n_repeated:,} of these.")
    if n_too_large and topic.most_bytes is not None:
        found.append(_too_large(n_too_large, topic.most_bytes))
    return tuple(found)


def _too_large(n: int, most_bytes: int) -> str:
    """What is said of so many events that are larger than their target takes."""
    are, they = ("event is", "It is") if n == 1 else ("events are", "They are")
    return (
        f"{n:,} {are} larger than this topic takes: max.message.bytes is {most_bytes:,}."
        f" {they} not sent, unless compressed small enough."
    )
