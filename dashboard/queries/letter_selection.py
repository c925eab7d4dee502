"""What a person selected in the list of dead letters, as ids and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from collector.domain.dead_letters import LetterStatus
from dashboard.queries.dead_letters import LETTERS, STANDS_FOR, stands
from dashboard.queries.failure_groups import failure_group
from dashboard.queries.hiding import masked_topics
from dashboard.queries.letter_filter import MOST_TEXT, Condition, condition

MOST_PICKED = 10_000  # boxes that were ticked one by one
MOST_NAMED = 10  # failure groups in the words for a selection


@dataclass(frozen=True, slots=True)
class Selection:
    """Ids, oldest first, and what they are in words."""

    letters: tuple[int, ...]
    words: str


def selection(fields: Mapping[str, Sequence[str]], *, most: int, may_read: bool = False) -> Selection:
    """The letters that a form names: all that match its filter (of the failure group it is `within`), else those
    ticked, else the open ones of its groups. The oldest `most`. Raises BadFilter. `may_read`: whether the filter may
    look into payloads.
    """
    picked = _numbers(",".join([*fields.get("letter", ()), *fields.get("letters", ())]))
    groups = _numbers(",".join(fields.get("group", ())))
    if "".join(fields.get("matching", ())):
        text, filtered = filter_of(fields, may_read=may_read)
        status = "".join(fields.get("status", ()))[:MOST_TEXT]
        within = (*_numbers(",".join(fields.get("within", ()))), *groups, None)[0]
        return _matching(filtered, text, status=status or "open", group=within, most=most)
    if picked:
        words = f"dead letter {picked[0]}" if len(picked) == 1 else f"{len(picked):,} selected dead letters"
        return Selection(picked, words)
    return _of_groups(groups, most) if groups else Selection((), "nothing")


def filter_of(fields: Mapping[str, Sequence[str]], *, may_read: bool) -> tuple[str, Condition]:
    """The filter by which a form chooses, as text and as a condition; empty where it does not. Raises BadFilter."""
    text = "".join(fields.get("q", ()))[:MOST_TEXT] if "".join(fields.get("matching", ())) else ""
    return text, condition(text, masked=masked_topics() if text else (), may_read=may_read)


def n_matching(filtered: Condition, *, status: str | None, group: int | None, most: int) -> int:
    """How many letters match, counted up to `most` + 1. One statement."""
    where, parameters = _where(filtered, status=status, group=group)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select count(*) from (select 1 from {LETTERS} where {where} limit %(limit)s) n",  # noqa: S608  of constants
            {**parameters, "limit": most + 1},
        )
        return int(cursor.fetchone()[0])


def _matching(filtered: Condition, text: str, *, status: str, group: int | None, most: int) -> Selection:
    where, parameters = _where(filtered, status=status, group=group)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select s.dead_letter_id from {LETTERS} where {where} order by s.dead_letter_id limit %(limit)s",  # noqa: S608
            {**parameters, "limit": most},
        )
        found = tuple(letter for (letter,) in cursor.fetchall())
    of_group = f" in failure group {group}" if group else ""
    return Selection(found, f"{status} dead letters{of_group}{f' matching {text}' if text.strip() else ''}")


def _where(
    filtered: Condition, *, status: str | None, group: int | None
) -> tuple[str, dict[str, str | int | list[str]]]:
    parts, parameters = [f"({filtered.sql})"], dict(filtered.parameters)
    if said := stands(status or ""):
        parts.append(said)
    if group:
        parts.append(f"s.failure_group_id = {STANDS_FOR}")
        parameters["group"] = group
    return " and ".join(parts), parameters


def _of_groups(numbers: Sequence[int], most: int) -> Selection:
    with connection.cursor() as cursor:
        cursor.execute(
            "select l.dead_letter_id from"
            " (select distinct coalesce(merged_into, emptied_into, id) id from failure_group where id = any(%s)) g"
            " cross join lateral (select dead_letter_id from letter_state where status = %s"  # by its index, not all
            "  and failure_group_id = g.id order by dead_letter_id limit %s) l order by 1 limit %s",
            [list(numbers), int(LetterStatus.OPEN), most, most],
        )
        found = tuple(letter for (letter,) in cursor.fetchall())
    if len(numbers) > 1:
        named = ", ".join(f"#{number}" for number in numbers[:MOST_NAMED])
        more = f" and {len(numbers) - MOST_NAMED:,} more" if len(numbers) > MOST_NAMED else ""
        return Selection(found, f"{len(numbers):,} failure groups: {named}{more}")
    group = failure_group(numbers[0])
    return Selection(found, f"failure group {group.title if group else numbers[0]}")


def _numbers(text: str) -> tuple[int, ...]:
    found = {int(word) for word in text.split(",") if word.isascii() and word.isdigit() and len(word) < 19}
    return tuple(sorted(found)[:MOST_PICKED])
