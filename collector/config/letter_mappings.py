"""Dead-letter topics that an admin describes on a page; what a change of them means for letters that are stored."""

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from collector.config import declared
from collector.config.declared import KIND_OF_LETTERS, Body, Change
from collector.config.document import read
from collector.config.tables import Problem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


class Wrong(ValueError):
    """What was typed is no mapping; `problems` says where."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(f"{problem.where[-1]} {problem.sentence}." for problem in problems))


def named(topic: str) -> str:
    """The name of the topic's own table in a settings file."""
    return topic if _NAME.fullmatch(topic) else f"topic-{hashlib.sha256(topic.encode()).hexdigest()[:16]}"


def checked(topic: str, sources: Mapping[str, str]) -> Body:
    """The table of the topic, of the sources that are not empty. Raises Wrong."""
    table = {"topics": [topic], **{name: text for name, text in sources.items() if text}}
    _, problems = read({KIND_OF_LETTERS: {named(topic): table}})
    if problems:
        raise Wrong(problems)
    return table


def save(topic: str, table: Body | None, *, by: str, now: datetime) -> tuple[Change, ...]:
    """Let the topic be described so, or, with None, not any more; in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("select from declaration for update")
    whole = dict(declared.body())
    mappings = {name: held for name, held in whole.get(KIND_OF_LETTERS, {}).items() if name != named(topic)}
    if table is not None:
        mappings[named(topic)] = table
    whole[KIND_OF_LETTERS] = mappings
    return declared.replace(whole, by=by, now=now)


def as_toml(topic: str, sources: Mapping[str, str]) -> str:
    """The table as it is written in a settings file: what only a page said, the next `apply` takes out."""
    texts = {name: json.dumps(text, ensure_ascii=False) for name, text in sources.items()}
    head = named(topic) if re.fullmatch(r"[A-Za-z0-9_-]+", named(topic)) else f'"{named(topic)}"'
    lines = [f"[{KIND_OF_LETTERS}.{head}]", f"topics = [{json.dumps(topic)}]"]
    return "\n".join([*lines, *(f"{name} = {text}" for name, text in texts.items())])
