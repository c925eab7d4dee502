"""What a person selected in the list of dead letters, as ids and in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection

from collector.domain.dead_letters import LetterStatus

MOST_PICKED = 10_000  # boxes that were ticked one by one


@dataclass(frozen=True, slots=True)
class Selection:
    """Ids, oldest first, and what they are in words."""

    letters: tuple[int, ...]
    words: str


def selection(fields: Mapping[str, Sequence[str]], *, most: int) -> Selection:
    """The letters that a form names: those ticked, else the open ones of a failure group. At most `most`."""
    picked = _numbers(",".join([*fields.get("letter", ()), *fields.get("letters", ())]))
    if picked:
        words = f"dead letter {picked[0]}" if len(picked) == 1 else f"{len(picked):,} selected dead letters"
        return Selection(picked, words)
    group = _numbers(",".join(fields.get("group", ())))
    return _of_group(group[0], most) if group else Selection((), "nothing")


def _of_group(number: int, most: int) -> Selection:
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.dead_letter_id, g.title from failure_group g left join letter_state s on s.status = %s"
            " and s.failure_group_id = g.id where g.id = %s order by s.dead_letter_id limit %s",
            [int(LetterStatus.OPEN), number, most],
        )
        rows = cursor.fetchall()
    title = rows[0][1] if rows else str(number)
    return Selection(tuple(letter for letter, _ in rows if letter is not None), f"failure group {title}")


def _numbers(text: str) -> tuple[int, ...]:
    found = {int(word) for word in text.split(",") if word.isascii() and word.isdigit() and len(word) < 19}
    return tuple(sorted(found)[:MOST_PICKED])
