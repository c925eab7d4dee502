"""Records of observed topics -> what is kept of them: place, size, key, context; more only where that is wanted."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from collector.domain import dialects
from collector.domain.contexts import writer
from collector.domain.dead_letters import DeadLetter
from collector.domain.record_ids import ids_of
from collector.domain.records import Record
from collector.intake.reading import Rows
from collector.ports import Partition
from collector.store.feeds import Feed
from collector.store.positions import Place
from collector.store.records import FLOW_NAME, KEY_NAME, Tapped

if TYPE_CHECKING:
    from uuid import UUID

log = logging.getLogger(__name__)

MAX_KEY = 200  # characters that a key is searched by


@dataclass(frozen=True, slots=True)
class TapRules:
    """What is tapped, and of what more than headers' names is kept: globs, "-" before those that are excluded."""

    topics: Sequence[str]
    payloads: Sequence[str]
    business_keys: Sequence[str]


def matches(name: str, globs: Sequence[str]) -> bool:
    """True when a glob fits and none that starts with "-" does."""
    excluded = any(fnmatchcase(name, glob[1:]) for glob in globs if glob.startswith("-"))
    return not excluded and any(fnmatchcase(name, glob) for glob in globs if not glob.startswith("-"))


class TapReading:
    """See collector.intake.reading.Reading. `key_names`: business key (a header's name) -> its id."""

    def __init__(self, rules: TapRules, key_names: Mapping[str, int]) -> None:
        self._rules = rules
        self._key_names = key_names
        self._feeds: dict[UUID, Feed] = {}

    def know(self, feeds: Iterable[Feed]) -> None:
        """Topics that records may come from, from another thread; records of those that went may still be under way."""
        self._feeds |= {feed.kafka_id: feed for feed in feeds}

    def rows(self, records: Sequence[Record], places: Mapping[Partition, Place]) -> Rows:
        """One row per record; nothing a record holds can be wrong here."""
        known = {partition: self._feeds[place.topic_uuid] for partition, place in places.items()}
        return Rows(
            tapped=[self._tapped(record, known[Partition(record.topic, record.partition)]) for record in records]
        )

    def _tapped(self, record: Record, feed: Feed) -> Tapped:
        holds_letters = feed.holds_dead_letters or dialects.role(feed.name) == "dead_letter"
        ids = ids_of(record)
        return Tapped(
            record=record,
            topic_id=feed.topic_id,
            keeps_body=holds_letters or matches(record.topic, self._rules.payloads),
            context=writer(record),
            event_id=ids.own,
            cause_id=ids.cause,
            keys=tuple(self._keys(record, ids.flow)),
            letter=_letter(record) if holds_letters else None,
        )

    def _keys(self, record: Record, flow: str | None) -> list[tuple[int, str]]:
        found = []
        if text := searchable(record.key):
            found.append((KEY_NAME, text))
        if flow:
            found.append((FLOW_NAME, flow))
        for name, number in self._key_names.items():
            if text := searchable(record.first(name)):
                found.append((number, text))
        return found


def _letter(record: Record) -> DeadLetter | None:
    try:
        return dialects.read(record)
    except Exception:
        # A fault in a dialect must not stop the intake at this record for ever; the record itself is kept whole.
        log.exception("cannot read the dead letter %s/%d/%d", record.topic, record.partition, record.offset)
        return None


def searchable(raw: bytes | None) -> str | None:
    """The text that people search by: UTF-8 of 1 to MAX_KEY characters that Postgres can hold; else None."""
    if not raw or len(raw) > MAX_KEY * 4:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= MAX_KEY and "\x00" not in text else None
