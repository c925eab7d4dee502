"""An edited copy of one dead letter: what a person gets to edit, and what their change makes of the letter's bytes.

What rules hide stays hidden and unchanged: a mark in the value, a locked header. The bytes behind never leave here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.db import connection

from collector.config.rules import standing
from collector.domain import editing, json_values, marked_json, masking
from collector.domain.editing import EditableHeader, Line, NotEditable
from collector.domain.frames import readable
from collector.domain.marked_json import Marked, MarkMoved
from collector.domain.masking import Aim
from collector.domain.records import Headers

UNREADABLE = "Cannot be edited: its stored headers cannot be read."


@dataclass(frozen=True, slots=True)
class Edit:
    """What is sent instead of the letter's own value and headers, and why."""

    value: bytes
    headers: Headers
    reason: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be edited: the value's text with marks for what is hidden (`n_hidden`), the headers."""

    text: str
    headers: tuple[EditableHeader, ...]
    n_hidden: int


@dataclass(frozen=True, slots=True)
class Made:
    """The copy, and the difference as it may be seen. `digest` binds a click to it."""

    edit: Edit
    lines: tuple[Line, ...]
    n_headers: int

    @property
    def digest(self) -> str:
        """Of the copy's bytes."""
        return hashlib.blake2b(repr((self.edit.value, self.edit.headers)).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Changes:
    """What a kept edit changes, as it may be seen: lines of the value, and headers."""

    lines: tuple[Line, ...]
    headers: tuple[Line, ...]


def offer(letter: int) -> Offer:
    """What of the letter can be edited. Raises NotEditable."""
    body = _body(letter)
    return Offer(body.marked.text, body.offered, len(body.marked.behind))


def made(letter: int, *, value: str, headers: Mapping[int, str | None], reason: str) -> Made:
    """The copy that these changes make. Raises NotEditable."""
    body = _body(letter)
    typed = value if "\r" in body.marked.text else value.replace("\r\n", "\n")
    if any(header.is_locked for header in body.offered if header.index in headers):
        raise NotEditable("A locked header cannot be changed.", field="headers")
    changed = editing.edited_headers(body.headers, headers)
    try:
        whole = marked_json.unmarked(typed, body.marked.behind) if body.marked.behind else typed
    except MarkMoved as error:
        raise NotEditable(str(error)) from None
    except ValueError:
        whole = typed  # what is wrong with it is told by its place
    edit = Edit(editing.edited_value(body.value, whole), changed, reason)
    if (edit.value, edit.headers) == (body.value, body.headers):
        raise NotEditable("Nothing is changed. Use Retry to send the original.")
    if not reason:
        raise NotEditable("Give a reason.", field="reason")
    lines = editing.difference(body.marked.text.encode(), typed.encode("utf-8", "replace"))
    return Made(edit, lines, sum(pair not in changed for pair in body.headers))


def difference(letter: int, edit: Edit) -> Changes:
    """What a kept edit changes, as it may be seen. Raises NotEditable."""
    body = _body(letter)
    before, after = (
        masking.concealed(body.aim, key=body.key, value=value, headers=headers)
        for value, headers in ((body.value, body.headers), (edit.value, edit.headers))
    )
    return Changes(
        editing.difference(before.value or b"null", after.value or b"null"),
        editing.header_difference(before.headers, after.headers),
    )


@dataclass(frozen=True, slots=True)
class _Body:
    key: bytes | None
    value: bytes
    headers: Headers
    marked: Marked
    offered: tuple[EditableHeader, ...]
    aim: Aim


def _body(letter: int) -> _Body:
    with connection.cursor() as cursor:
        cursor.execute(
            "select b.key, b.value, b.headers, t.name, o.name from dead_letter_body b"
            " join dead_letter d on d.id = b.dead_letter_id join topic t on t.id = d.topic_id"
            " left join topic o on o.id = d.origin_topic_id where d.id = %s",
            [letter],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotEditable("There is no such dead letter.")
    key, value, framed, *topics = row
    headers = readable(framed)
    if headers is None:
        raise NotEditable(UNREADABLE)
    text = editing.editable_text(value)
    aim = standing.rules().of(*topics)
    if not aim:
        return _Body(key, value, headers, Marked(text, {}), editing.editable_headers(headers), aim)
    seen = masking.concealed(aim, key=key, value=value, headers=headers)
    if seen.value_is_hidden or seen.value is None:
        raise NotEditable("Cannot be edited: nothing of its value may be seen. Retry sends the original bytes.")
    try:
        marks = marked_json.marked(text, json_values.loads(seen.value))
    except (MarkMoved, json_values.NotJson) as error:
        raise NotEditable(f"Cannot be edited: {error} Retry sends the original bytes.") from None
    return _Body(key, value, headers, marks, _offered(headers, seen.headers), aim)


def _offered(headers: Headers, seen: Headers) -> tuple[EditableHeader, ...]:
    """The headers as they may be seen; one of which a part is hidden is locked."""
    return tuple(
        header
        if headers[header.index] == seen[header.index]
        else replace(header, text=masking.MASK, is_locked=True, name=seen[header.index][0])
        for header in editing.editable_headers(headers)
    )
