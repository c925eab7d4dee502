"""Failures below the values of an indexed header, such as tenant: read from their newest open letters."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from collector.domain.frames import first_plain
from collector.domain.keys import searchable
from dashboard.queries import hiding
from dashboard.queries.failure_groups import FailureGroup
from dashboard.queries.search import indexed_names

MOST_READ = 2_000  # letters whose headers are looked at
LEAST_READ = 4  # of each failure
MOST_BYTES = 64_000  # of headers: larger ones are not looked into
MOST_VALUES = 100
MOST_FAILURES = 10  # named below a value


@dataclass(frozen=True, slots=True)
class Below:
    """A value, and the failures of the letters that carry it, most letters first; `n_failures` in all.

    `value` is None where a letter does not carry the header, or nobody may be told by it.
    """

    value: str | None
    n: int
    failures: tuple[tuple[FailureGroup, int], ...]
    n_failures: int

    @property
    def n_more(self) -> int:
        """Failures that are not named."""
        return self.n_failures - len(self.failures)


@dataclass(frozen=True, slots=True)
class KeyShelves:
    """Most letters first, `n_values` in all. Of `n_read` letters: the newest `each` open ones of each failure.

    `without`: those that do not carry it. `n_masked` are of topics of which something is masked: nothing is told of
    these. `is_whole`: no open letter was left out.
    """

    name: str
    items: tuple[Below, ...]
    n_values: int
    without: Below
    n_masked: int
    n_read: int
    each: int
    is_whole: bool


def header_names() -> tuple[str, ...]:
    """Headers that are indexed, as far as any was seen; at most 20. One statement."""
    return tuple(name for name in indexed_names() if not name.startswith("$"))


def key_shelves(found: Sequence[FailureGroup], name: str) -> KeyShelves:
    """These failures below the values of the header `name`. One statement, at most 2,000 letters at 500 failures.

    The index of business keys is by value and as short as raw data is kept; letters keep their headers as long as they
    are kept themselves, so what they carry is read from there, by their numbers.
    """
    groups = {group.id: group for group in found}
    each = max(LEAST_READ, MOST_READ // max(1, len(groups)))
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST, {"groups": list(groups), "each": each, "most_bytes": MOST_BYTES})
        rows = cursor.fetchall()
    held: dict[str | None, Counter[int]] = {None: Counter()}
    n_masked = 0
    for number, topic, origin, headers in rows:
        if hiding.aim_for(topic, origin):
            n_masked += 1
            continue
        text = None if headers is None else searchable(first_plain(bytes(headers), name))
        held.setdefault(text or None, Counter())[number] += 1
    without = _below(None, held.pop(None), groups)
    made = sorted(
        (_below(value, counted, groups) for value, counted in held.items()), key=lambda one: (-one.n, one.value or "")
    )
    is_whole = all(group.n_open <= each for group in found)
    return KeyShelves(name, tuple(made[:MOST_VALUES]), len(made), without, n_masked, len(rows), each, is_whole)


def _below(value: str | None, counted: Counter[int], groups: Mapping[int, FailureGroup]) -> Below:
    failures = tuple((groups[number], n) for number, n in counted.most_common(MOST_FAILURES))
    return Below(value, counted.total(), failures, len(counted))


_NEWEST = """
select n.failure_group_id, t.name, o.name,
  (select b.headers from dead_letter_body b where b.dead_letter_id = n.dead_letter_id
    and octet_length(b.headers) <= %(most_bytes)s)
from unnest(%(groups)s::bigint[]) g(id)
cross join lateral (select s.failure_group_id, s.dead_letter_id from letter_state s where s.failure_group_id = g.id
  and s.status = 0 order by s.dead_letter_id desc limit %(each)s) n
join dead_letter d on d.id = n.dead_letter_id join topic t on t.id = d.topic_id
left join topic o on o.id = d.origin_topic_id
order by n.dead_letter_id desc
"""
