"""Whoever looks for words in payloads is written down, whatever the search is for: a list, a retry, an archive."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from django.http import HttpRequest

from dashboard.audit import recorded
from dashboard.queries.letter_filter import Condition
from dashboard.queries.letter_selection import Selection, filter_of, selection


def noted(request: HttpRequest, filtered: Condition, words: str) -> AbstractContextManager[object]:
    """Run the search; where it reads payloads its row is there as soon as it ended, whatever comes after."""
    return recorded("search payloads", request, object=words) if filtered.reads_values else nullcontext()


def chosen(request: HttpRequest, fields: Mapping[str, Sequence[str]], *, most: int, may_read: bool) -> Selection:
    """The letters that a form names, as `selection`, noted. Raises BadFilter."""
    words, filtered = filter_of(fields, may_read=may_read)
    with noted(request, filtered, words):
        return selection(fields, most=most, may_read=may_read)
