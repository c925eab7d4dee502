"""Whose a service, a topic or a group is, as people declare it: one entry for everything of a team."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from collector.config.tables import Table
from collector.domain import globs
from collector.domain.ownership import FIELDS, LONGEST

KINDS = ("services", "topics", "groups")


@dataclass(frozen=True, slots=True)
class Owner:
    """What counts for everything that one of the globs of its kind fits; `facts` by the names of FIELDS."""

    name: str
    globs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by the names of KINDS
    facts: Mapping[str, str] = field(default_factory=dict)

    def fits(self, kind: str, name: str) -> int:
        """How exactly its globs fit a name: 0 not at all; a name without a star fits best, then the longest glob."""
        fitting = [glob for glob in self.globs.get(kind, ()) if fnmatchcase(name, glob)]
        return max((LONGEST + 1 if "*" not in glob else len(glob) for glob in fitting), default=0)


def owner(name: str, table: Table) -> Owner:
    """The entry that a table declares; what is wrong is noted in the table."""
    found = Owner(
        name=name,
        globs={kind: table.texts(kind, check=_is_glob) for kind in KINDS if table.has(kind)},
        facts={fact: text for fact in FIELDS if (text := table.text(fact))},
    )
    table.expect(*KINDS, *FIELDS)
    if not any(found.globs.values()):
        table.blame("", f"owns nothing: give {', '.join(KINDS)}")
    if not found.facts:
        table.blame("", f"says nothing: give {', '.join(FIELDS)}")
    for fact, text in found.facts.items():
        if len(text) > LONGEST:
            table.blame(fact, f"must have at most {LONGEST} characters")
    table.done()
    return found


def _is_glob(text: str) -> str | None:
    if text.startswith("-") or not globs.is_cheap(text):
        return f"must be a pattern of at most {globs.MOST_CHARACTERS} characters and {globs.MOST_STARS} stars"
    return None
