"""What mask rules hide, taken out before a page, the API or an export gets it: nobody's role makes a difference.

Only an admin who unmasked fields of a topic (dashboard/unmasking.py) sees these, and only in the one record or span
that is opened then: never in a list, a search, a graph or an export.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import connection

from collector.config.rules import standing
from collector.domain import masking
from collector.domain.frames import readable
from collector.domain.key_aliases import alias
from collector.domain.mask_fields import without
from collector.domain.masking import MASK, NOTHING, Aim, Concealed
from collector.domain.records import Headers

Lifted = Mapping[str, Collection[str]]  # topic -> fields that the person unmasked
NO_FIELDS: Lifted = MappingProxyType({})
Address = tuple[str, str, int, int]  # cluster, topic, partition, offset
RECORD_KEY = "key"  # the name of the record's own key among business keys


@dataclass(frozen=True, slots=True)
class Veil:
    """Over one record. `seen` is None where rules are meant for it and its value and headers were not kept.

    Nobody can tell then whether its key is a copy of what is masked, so the key hides. `secret`: where what stands for
    masked keys is asked for.
    """

    aim: Aim = NOTHING
    seen: Concealed | None = None
    masked: Collection[str] = field(default_factory=frozenset, repr=False)
    secret: bytes = field(default=b"", repr=False)

    def key(self, raw: bytes | None) -> bytes | None:
        """The record's key, or what may be seen of it: of a masked one what stands for it."""
        if not self.aim or not raw:
            return raw
        if self.aim.key and self.secret:
            return alias(self.secret, raw).encode()
        return MASK.encode() if self.aim.key or self.seen is None else self.seen.key

    def text(self, text: str | None) -> str | None:
        """A text that came from the record, such as its key or its reason."""
        if not self.aim or not text:
            return text
        return MASK if self.seen is None else self.seen.said(text)

    def shown_key(self, text: str | None) -> str | None:
        """The record's key where it is a text already."""
        return MASK if text and self.aim and self.aim.key else self.text(text)

    def allows(self, name: str, text: str) -> bool:
        """Whether the record may be found by this business key: never by what is masked, but by what stands for it."""
        if not self.aim or (self.secret and text in {alias(self.secret, each) for each in self.masked}):
            return True
        if self.aim.key if name == RECORD_KEY else name.lower() in self.aim.headers:
            return False
        return self.seen is not None and text not in self.masked and self.seen.said(text) == text


OPEN = Veil()
ALL_HIDDEN = Concealed(MASK.encode(), MASK.encode(), (), value_is_hidden=True, secrets=())


def aim_for(*topics: str | None, lifted: Lifted = NO_FIELDS) -> Aim:
    """What is masked of records of these topics (a dead letter's own, and the one it came from), but for `lifted`."""
    rules, found = standing.rules(), NOTHING
    for topic in topics:
        if topic:
            found = found | without(rules.of(topic), lifted.get(topic, ()))
    return found


def masked_attributes(topic: str | None, lifted: Lifted = NO_FIELDS) -> Collection[str]:
    """Names of what is masked among the attributes of a span on this topic; None: it names none."""
    return aim_for(topic, lifted=lifted).attributes if topic else standing.rules().attributes_of(None)


def attributes_of(topic: str | None, attributes: Mapping[str, Any], lifted: Lifted = NO_FIELDS) -> dict[str, Any]:
    """Attributes of a span on a topic (None: on none) as everybody may see them."""
    return masking.concealed_attributes(masked_attributes(topic, lifted), attributes)


def rule_names(*topics: str | None) -> tuple[str, ...]:
    """What the rules are called that hide something of these topics' records."""
    return standing.rules().names_of(*topics)


def veil(aim: Aim, *, key: bytes | None, value: bytes | None, headers: bytes | None, secret: bytes = b"") -> Veil:
    """The veil over a record whose stored bytes these are; `headers` None where they were not kept."""
    names = _headers(headers) if aim else None
    if names is None:
        return Veil(aim, None, masking.masked_texts(aim, key=key, value=None, headers=()), secret)
    seen = masking.concealed(aim, key=key, value=value, headers=names)
    return Veil(aim, seen, masking.masked_texts(aim, key=key, value=value, headers=names), secret)


def veils(addresses: Iterable[Address], lifted: Lifted = NO_FIELDS) -> Mapping[Address, Veil]:
    """The veils over records; those that no rule is meant for have none. One statement, none where there is no rule."""
    wanted = list(addresses)
    if not wanted or not standing.rules().all:
        return {}
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(_BODIES, [list(column) for column in zip(*wanted, strict=True)])
        for cluster, topic, partition, offset, origin, key, value, headers, secret in cursor.fetchall():
            if aim := aim_for(topic, origin, lifted=lifted):
                parts = {"key": _bytes(key), "value": _bytes(value), "headers": _bytes(headers)}
                made = veil(aim, **parts, secret=bytes(secret))
                found[cluster, topic, partition, offset] = made
    return found


def letter_veils(letters: Mapping[int, Sequence[str | None]]) -> Mapping[int, Veil]:
    """The veils over dead letters, by number; `letters`: their topics. One statement, none without such rules."""
    aims = {number: aim for number, topics in letters.items() if (aim := aim_for(*topics))}
    if not aims:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select dead_letter_id, key, value, headers from dead_letter_body where dead_letter_id = any(%s)",
            [sorted(aims)],
        )
        return {
            number: veil(aims[number], key=_bytes(key), value=_bytes(value), headers=_bytes(headers))
            for number, key, value, headers in cursor.fetchall()
        }


def masked_topics() -> tuple[str, ...]:
    """Names of topics of whose records something is masked: no search may tell what. One statement, or none.

    Deleted topics, too: their dead letters stay.
    """
    if not standing.rules().all:
        return ()
    with connection.cursor() as cursor:
        cursor.execute("select distinct name from topic order by 1")
        return tuple(name for (name,) in cursor.fetchall() if aim_for(name))


_BODIES = """
select n.cluster, n.topic, n.kafka_partition, n.kafka_offset, o.name, coalesce(r.key, b.key), b.value, b.headers,
  (select secret from mask_key)
from unnest(%s::text[], %s::text[], %s::int[], %s::bigint[]) n(cluster, topic, kafka_partition, kafka_offset)
join cluster c on c.name = n.cluster
join topic t on t.cluster_id = c.id and t.name = n.topic and t.deleted_at is null
left join lateral (select key from record r where r.topic_id = t.id and r.kafka_partition = n.kafka_partition
  and r.kafka_offset = n.kafka_offset limit 1) r on true
left join dead_letter x on x.topic_id = t.id and x.kafka_partition = n.kafka_partition
  and x.kafka_offset = n.kafka_offset
left join lateral (select key, value, headers from dead_letter_body where dead_letter_id = x.id
  union all select null, value, headers from record_body b where b.topic_id = t.id
  and b.kafka_partition = n.kafka_partition and b.kafka_offset = n.kafka_offset limit 1) b on true
left join topic o on o.id = x.origin_topic_id
"""


def _headers(framed: bytes | None) -> Headers | None:
    return None if framed is None else readable(framed)


def _bytes(held: Any) -> bytes | None:  # noqa: ANN401  bytes or a view of them, as the driver likes
    return None if held is None else bytes(held)
