"""What came of a retry's letters, key by key: where one of a key did not get through, its next ones wait."""

from dataclasses import dataclass

from django.db import connection

from dashboard.queries import hiding

MOST_KEYS = 100


@dataclass(frozen=True, slots=True)
class KeyRow:
    """One key. `letter` is the first with it; `key` is None where it is no short text, and may be masked."""

    letter: int
    key: str | None
    n: int
    n_sent: int
    n_done: int
    n_failed_again: int
    n_without: int
    n_waiting: int
    n_not_sent: int


@dataclass(frozen=True, slots=True)
class Keys:
    """Those with failures first, then those without an outcome, then the largest; `n_keyless` letters have no key."""

    items: tuple[KeyRow, ...]
    n_keys: int
    n_keyless: int


def keys_of(number: int) -> Keys:
    """The keys of one operation, at most 100. Two statements, and one more where rules mask something."""
    with connection.cursor() as cursor:
        cursor.execute(_KEYS, {"id": number, "most": MOST_KEYS})
        rows = cursor.fetchall()
        cursor.execute(
            "select count(distinct key_hash), count(*) filter (where key_hash is null) from retry_item"
            " where operation_id = %s",
            [number],
        )
        n_keys, n_keyless = cursor.fetchone()
    veils = hiding.letter_veils({row[0]: (row[2], row[3]) for row in rows})
    items = tuple(
        KeyRow(letter, veils.get(letter, hiding.OPEN).shown_key(key), *counts) for letter, key, _, _, *counts in rows
    )
    return Keys(items, n_keys, n_keyless)


_KEYS = """
with k as (select min(dead_letter_id) letter, count(*)::int n, count(sent_at)::int n_sent,
    (count(*) filter (where status in (4, 5)))::int n_done, (count(*) filter (where status = 6))::int n_failed,
    (count(*) filter (where status in (2, 3)))::int n_without,
    (count(*) filter (where status in (0, 1)))::int n_waiting,
    (count(*) filter (where status in (7, 8)))::int n_not_sent
  from retry_item where operation_id = %(id)s and key_hash is not null group by key_hash)
select k.letter, d.key_text, t.name, o.name, k.n, k.n_sent, k.n_done, k.n_failed, k.n_without, k.n_waiting, k.n_not_sent
from (select * from k order by n_failed desc, n_without desc, n_not_sent desc, n desc, letter limit %(most)s) k
join dead_letter d on d.id = k.letter join topic t on t.id = d.topic_id left join topic o on o.id = d.origin_topic_id
order by k.n_failed desc, k.n_without desc, k.n_not_sent desc, k.n desc, k.letter
"""
