"""Records of observed topics -> what is kept of them: place, size, key, context; more only where that is wanted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from collector.domain import contexts, dialects, frames, json_paths, json_values, masking, record_ids
from collector.domain.alike import Alike
from collector.domain.dead_letters import DeadLetter
from collector.domain.dialects import LetterMapping, mapped
from collector.domain.fingerprints import CURRENT, Fingerprint
from collector.domain.globs import matches
from collector.domain.json_values import NotJson
from collector.domain.key_aliases import alias
from collector.domain.keys import searchable
from collector.domain.letter_forms import fit_to_see, letter_of, origins, parked_form, way_of
from collector.domain.masking import NOTHING, Aim, Concealed, Rules
from collector.domain.record_ids import RecordIds
from collector.domain.records import Record, size_of
from collector.intake.native import Pack
from collector.intake.reading import Faults, Rows, undecodable
from collector.ports import Partition
from collector.store import letter_rows
from collector.store.feeds import Feed
from collector.store.letter_rows import Parcel
from collector.store.positions import Place
from collector.store.records import FLOW_NAME, KEY_NAME, PackedRecords, Tapped, Undecodable

if TYPE_CHECKING:
    from uuid import UUID

Places = Mapping[Partition, Place]
MOST_VALUES = 20  # of one path in one record
MOST_PLANS, MOST_PLANNED = 1_000, 2_000  # how many are remembered; bytes of names in one


@dataclass(frozen=True, slots=True)
class TapRules:
    """What is tapped, and of what more than headers' names is kept: globs, "-" before those that are excluded.

    `origins`: topics that dead letters came from are tapped in any case; so are those that `mappings` describe. `drops`
    are applied before anything is stored, save to dead letters; `hidden` is what nobody gets to see, and so is not made
    searchable: what stands for it is, made with `alias_secret`.
    """

    topics: Sequence[str]
    payloads: Sequence[str]
    business_keys: Sequence[str]
    origins: bool = True
    drops: Rules = field(default_factory=Rules)
    hidden: Rules = field(default_factory=Rules)
    alias_secret: bytes = field(default=b"", repr=False)
    mappings: Sequence[LetterMapping] = ()

    def mapping_of(self, topic: str) -> LetterMapping | None:
        """What an admin said of a topic that holds dead letters."""
        return mapped.fitting(self.mappings, topic)

    def wants(self, feed: Feed) -> bool:
        """Whether this topic is tapped."""
        if matches(feed.name, self.topics) or self.mapping_of(feed.name):
            return True
        is_excluded = not matches(feed.name, ("*", *(glob for glob in self.topics if glob.startswith("-"))))
        return self.origins and feed.had_dead_letters and not is_excluded


@dataclass(frozen=True, slots=True)
class _Course:
    """What the rules say of all records of one topic."""

    topic_id: int
    name: str
    holds_letters: bool
    retries: bool
    keeps_body: bool
    drops: Aim
    hidden: Aim
    mapping: LetterMapping | None


@dataclass(frozen=True, slots=True)
class _Plan:
    """How headers of the same names are read. `keys`: places of values that are indexed, with the id of their name."""

    context: contexts.Plan
    ids: record_ids.Plan
    keys: tuple[tuple[int, int], ...]
    n_bytes: int  # of the names


class _Batch:
    """What the rules say of the topics of one batch. `course_of` and `places_of` are what the compiled packing asks."""

    def __init__(self, reading: "TapReading", places: Places) -> None:
        self._reading = reading
        self._places = places
        self._courses: dict[tuple[str, int], _Course] = {}
        self.places_of = reading.places_of

    def course(self, topic: str, partition: int) -> _Course:
        place = topic, partition
        found = self._courses.get(place)
        if found is None:
            found = self._courses[place] = self._reading.course(self._places[Partition(*place)].topic_uuid)
        return found

    def course_of(self, topic: str, partition: int) -> int:
        """The topic's id; below 0 where its records must be seen, too, 0 where they must be seen one by one."""
        course = self.course(topic, partition)
        if course.holds_letters:  # whose origin's mask rules count, too
            return 0 if self._reading.masks else -course.topic_id
        is_plain = course.drops is NOTHING and course.hidden is NOTHING
        return course.topic_id if is_plain and not (course.retries or course.keeps_body) else 0


class TapReading:
    """See collector.intake.reading.Reading. `key_names`: business key (a header's name or a JSON path) -> its id.

    `pack`: the same in C for records of which nothing but rows is kept, which asks here.
    """

    def __init__(self, rules: TapRules, key_names: Mapping[str, int], pack: Pack | None = None) -> None:
        self._rules = rules
        self._pack = pack
        self._packed_plans: dict[bytes, bytes | None] = {}
        self._header_keys = {name: number for name, number in key_names.items() if not name.startswith("$")}
        self._path_keys = [(json_paths.parse(name), number) for name, number in key_names.items() if name[:1] == "$"]
        self._feeds: dict[UUID, Feed] = {}
        self._plans: dict[tuple[str, ...], _Plan] = {}
        self._faults = Faults()
        self._alike = Alike()

    @property
    def masks(self) -> bool:
        """Whether anything may be masked."""
        return bool(self._rules.hidden.all)

    def know(self, feeds: Iterable[Feed]) -> None:
        """Topics that records may come from, from another thread; records of those that went may still be under way."""
        self._feeds |= {feed.kafka_id: feed for feed in feeds}

    def rows(self, records: Sequence[Record], places: Places) -> Rows:
        """One row per record. Nothing a record holds can be wrong here; a fault of ours must not stop the intake."""
        rows = self._packed_rows(records, places)
        return self._read(_Batch(self, places), records, places, {}, PackedRecords()) if rows is None else rows

    def _packed_rows(self, records: Sequence[Record], places: Places) -> Rows | None:
        """The same, packed in C as far as that can be done.

        None where it cannot: also where one whose row is packed could not be read to its end. It would be counted
        twice, as a record and as an undecodable one.
        """
        if self._pack is None or self._path_keys:
            return None
        batch, packed = _Batch(self, places), PackedRecords()
        try:
            left = self._pack(batch, list(records), self._packed_plans, packed.records, packed.keys)
        except Exception as error:  # noqa: BLE001  said; which record it is shows when each is read alone
            self._faults.say(records[0], error)
            return None
        told = {id(each[0]): each[1:] for each in left if isinstance(each, tuple)}
        ordered = [each[0] if isinstance(each, tuple) else each for each in left]
        rows = self._read(batch, ordered, places, told, packed)
        return rows if sum(each.is_packed for each in rows.tapped) == len(told) else None

    def _read(
        self, batch: "_Batch", records: Sequence[Record], places: Places, told: Mapping[int, Any], packed: PackedRecords
    ) -> Rows:
        """`told`: of those whose rows are packed, by id(), what was read for that."""

        def tapped(record: Record) -> Tapped:
            course = batch.course(record.topic, record.partition)
            alone = told.get(id(record))
            return self._letter_alone(record, course, *alone) if alone else self._tapped(record, course)

        found, garbage = self._faults.each(records, places, tapped, self.unstorable)
        parcels = [(each.parcel, each.record.headers) for each in found if each.parcel is not None]
        for (parcel, _), packed_headers in zip(parcels, frames.packed([each for _, each in parcels]), strict=True):
            parcel.headers = packed_headers
        return Rows(tapped=found, packed=packed, undecodable=garbage)

    def unstorable(self, record: Record, places: Places, reason: str) -> Undecodable:
        """Without its first bytes: they may be what a rule drops, or a payload that nobody asked to keep."""
        return undecodable(replace(record, value=None), places, reason)

    def places_of(self, names: tuple[str, ...]) -> tuple[object, ...] | None:
        """Where the trace context, the content type, the ids and what is indexed stand in headers with these names.

        None where more than that must be looked at.
        """
        if len(self._packed_plans) >= MOST_PLANS:
            self._packed_plans.clear()
        context, ids = contexts.alone(names), record_ids.plan(names)
        if context is None or ids.request is not None:
            return None
        content_type = -1 if ids.is_signed or ids.content_type is None else ids.content_type
        return context, content_type, *ids.columns, self._keys_of(names)

    def course(self, kafka_id: "UUID") -> _Course:
        """What the rules say of all records of a topic that is known."""
        feed = self._feeds[kafka_id]
        mapping = self._rules.mapping_of(feed.name)
        holds_letters = feed.holds_dead_letters or mapping is not None or dialects.role(feed.name) == "dead_letter"
        return _Course(
            topic_id=feed.topic_id,
            name=feed.name,
            holds_letters=holds_letters,
            retries=not holds_letters and dialects.role(feed.name) == "retry",
            keeps_body=holds_letters or matches(feed.name, self._rules.payloads),
            drops=NOTHING if holds_letters else self._rules.drops.of(feed.name) or NOTHING,
            hidden=self._rules.hidden.of(feed.name) or NOTHING,
            mapping=mapping,
        )

    def _letter_alone(self, record: Record, course: _Course, size: int, context: contexts.Written | None) -> Tapped:
        """Of a record whose rows are packed."""
        letter, fingerprint = self._parked(record, course)
        return Tapped(
            record,
            course.topic_id,
            size,
            course.keeps_body,
            context,
            None,
            (),
            letter,
            parcel=_parcel(record, letter, fingerprint, size, context),
            is_packed=True,
        )

    def _parked(self, record: Record, course: _Course) -> tuple[DeadLetter | None, Fingerprint | None]:
        """The letter and its fingerprint, where there is no mask rule."""
        if course.mapping is None:
            try:
                return self._alike.parked(record) or (None, None)
            except Exception as error:  # noqa: BLE001  said; what was read of others must not cost the letter
                self._faults.say(record, error)
        letter = parked_form(record, course.mapping, self._rules.hidden)
        return letter, CURRENT.of(letter, record.topic) if letter else None

    def _letter(self, record: Record, course: _Course) -> tuple[DeadLetter | None, Fingerprint | None, Aim]:
        """The letter, and what is masked of it and its record; without a fingerprint it is not yet fit to see."""
        if not course.holds_letters:
            return None, None, course.hidden
        if not self.masks:
            return *self._parked(record, course), NOTHING
        letter = letter_of(record, course.mapping)
        return letter, None, self._rules.hidden.of(course.name, *origins(letter)) or NOTHING

    def _tapped(self, whole: Record, course: _Course) -> Tapped:
        letter, fingerprint, aim = self._letter(whole, course)
        record, is_readable = (whole, True) if course.drops is NOTHING else masking.dropped(whole, course.drops)
        context, ids, size, keys = self._said(record)
        size = size if record is whole else size_of(whole)
        seen = None
        if aim is not NOTHING:
            seen = masking.concealed(aim, key=record.key, value=record.value, headers=record.headers)
            keys = self._shown(keys, record, seen, aim)
        if letter is not None and fingerprint is None:
            letter = fit_to_see(letter, seen)
            fingerprint = CURRENT.of(letter, whole.topic)
        return Tapped(
            record,
            course.topic_id,
            size,
            is_readable and course.keeps_body,
            context,
            ids.own,
            tuple(keys),
            letter,
            ids.cause,
            way_of(whole) if course.retries else None,
            _parcel(whole, letter, fingerprint, size, context),
        )

    def _said(self, record: Record) -> tuple[contexts.Written | None, RecordIds, int, list[tuple[int, str]]]:
        """Who wrote it, its ids, its size and what it is found by."""
        names, values = zip(*record.headers, strict=True) if record.headers else ((), ())
        plan = self._plans.get(names) or self._planned(names)
        if all(values):
            size = plan.n_bytes + sum(map(len, values)) + len(record.key or b"") + len(record.value or b"")
            context, ids = contexts.read(plan.context, values), record_ids.read(plan.ids, values, record.value)
        else:  # a header without a value counts as none, so that others are the first and the last
            context, ids, size = contexts.writer(record), record_ids.ids_of(record), size_of(record)
        return context, ids, size, self._keys(record, ids.flow, [(values[at], number) for at, number in plan.keys])

    def _planned(self, names: tuple[str, ...]) -> _Plan:
        n_bytes = len("".join(names).encode("utf-8", "surrogateescape"))
        made = _Plan(contexts.plan(names), record_ids.plan(names), self._keys_of(names), n_bytes)
        if len(names) + n_bytes <= MOST_PLANNED:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            self._plans[names] = made
        return made

    def _keys_of(self, names: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
        first = dict(zip(reversed(names), range(len(names) - 1, -1, -1), strict=True))
        return tuple((first[name], number) for name, number in self._header_keys.items() if name in first)

    def _keys(
        self, record: Record, flow: str | None, indexed: Iterable[tuple[bytes | None, int]]
    ) -> list[tuple[int, str]]:
        """What the record is found by."""
        found = []
        if text := searchable(record.key):
            found.append((KEY_NAME, text))
        if flow:
            found.append((FLOW_NAME, flow))
        for value, number in indexed:
            if text := searchable(value):
                found.append((number, text))
        if self._path_keys and record.value and json_values.may_be_json(record.value):
            found.extend(self._path_values(record.value))
        return found

    def _shown(self, found: list[tuple[int, str]], record: Record, seen: Concealed, aim: Aim) -> list[tuple[int, str]]:
        """Without masked values: who may not see one must not be able to ask for it.

        What stands for one is there: by that alone people follow a key that they may not see (docs/security.md).
        """
        masked = masking.masked_texts(aim, key=record.key, value=record.value, headers=record.headers)
        shown = [(number, text) for number, text in found if text not in masked and seen.said(text) == text]
        if not self._rules.alias_secret:
            return shown
        return shown + [(number, alias(self._rules.alias_secret, text)) for number, text in found if text in masked]

    def _path_values(self, value: bytes) -> list[tuple[int, str]]:
        try:
            tree = json_values.loads(value)
        except NotJson:
            return []
        return [
            (number, text)
            for path, number in self._path_keys
            for text in sorted({*json_paths.texts(tree, path)})[:MOST_VALUES]
            if searchable(text.encode("utf-8", "replace")) == text
        ]


def _parcel(
    record: Record,
    letter: DeadLetter | None,
    fingerprint: Fingerprint | None,
    size: int,
    context: contexts.Written | None,
) -> Parcel | None:
    if letter is None or fingerprint is None:
        return None
    return letter_rows.parcel(record, letter, fingerprint, size_bytes=size, context=context)
