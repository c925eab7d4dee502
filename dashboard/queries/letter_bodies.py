"""The bytes of dead letters, without what rules mask: only for those who may see payloads."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from django.db import connection

from collector.domain.frames import readable
from collector.domain.records import Headers
from dashboard.queries import hiding


@dataclass(frozen=True, slots=True)
class Body:
    """The letter's own bytes: only for those who may see payloads. `n_bytes`: of the whole value.

    `headers` is None where what was stored of them cannot be read: `raw_headers` is what is there.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers | None
    n_bytes: int
    raw_headers: bytes | None = None


def letter_body(number: int) -> Body | None:
    """The bytes of one letter, or None. The caller has asked whether they may be seen. One statement."""
    return letter_bodies([number]).get(number)


def letter_bodies(letters: Collection[int]) -> Mapping[int, Body]:
    """The bytes of letters by their ids. The caller has asked whether they may be seen. One statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select d.id, b.key, b.value, b.headers, t.name, o.name from dead_letter_body b"
            " join dead_letter d on d.id = b.dead_letter_id join topic t on t.id = d.topic_id"
            " left join topic o on o.id = d.origin_topic_id where d.id = any(%s)",
            [list(letters)],
        )
        return {number: _body(*row) for number, *row in cursor.fetchall()}


def _body(key: bytes | None, value: bytes | None, headers: bytes, topic: str, origin: str | None) -> Body:
    veil = hiding.veil(hiding.aim_for(topic, origin), key=key, value=value, headers=headers)
    if not veil.aim:
        found = readable(headers)
        return Body(key, value, found, len(value or b""), bytes(headers) if found is None else None)
    seen = veil.seen or hiding.ALL_HIDDEN
    return Body(seen.key, seen.value, seen.headers, len(value or b""))
