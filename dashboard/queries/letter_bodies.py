"""The bytes of dead letters, without what rules mask: only for those who may see payloads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection

from collector.domain.frames import readable
from collector.domain.records import Headers
from dashboard.queries import hiding
from dashboard.queries.hiding import NO_FIELDS, Lifted


@dataclass(frozen=True, slots=True)
class Body:
    """The letter's own bytes: only for those who may see payloads. `n_bytes`: of the whole value.

    `headers` is None where what was stored of them cannot be read: `raw_headers` is what is there. `rules`: whose masks
    hide something; `maskable`: the topics whose rules are meant for it, unmasked or not.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    n_bytes: int
    raw_headers: bytes | None = None
    rules: tuple[str, ...] = ()
    maskable: tuple[str, ...] = ()


def letter_body(number: int, *, lifted: Lifted = NO_FIELDS) -> Body | None:
    """The bytes of one letter, or None. The caller has asked whether they may be seen. One statement."""
    return letter_bodies([number], lifted=lifted).get(number)


def letter_bodies(letters: Collection[int], *, lifted: Lifted = NO_FIELDS) -> Mapping[int, Body]:
    """The bytes of letters by their ids. The caller has asked whether they may be seen. One statement.

    `lifted`: what is unmasked.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select d.id, b.key, b.value, b.headers, t.name, o.name from dead_letter_body b"
            " join dead_letter d on d.id = b.dead_letter_id join topic t on t.id = d.topic_id"
            " left join topic o on o.id = d.origin_topic_id where d.id = any(%s)",
            [list(letters)],
        )
        return {row[0]: _body(row[1:], lifted) for row in cursor.fetchall()}


def _body(row: tuple[Any, ...], lifted: Lifted) -> Body:
    key, value, headers, topic, origin = row
    veil = hiding.veil(hiding.aim_for(topic, origin, lifted=lifted), key=key, value=value, headers=headers)
    maskable = tuple(dict.fromkeys(each for each in (topic, origin) if each and hiding.aim_for(each)))
    if not veil.aim:
        found, raw = readable(headers), bytes(headers)
        return Body(key, value, found, len(value or b""), raw if found is None else None, maskable=maskable)
    seen, rules = veil.seen or hiding.ALL_HIDDEN, hiding.rule_names(topic, origin)
    return Body(seen.key, seen.value, seen.headers, len(value or b""), rules=rules, maskable=maskable)
