"""The terms of a filter as chips, each with what is left when it is taken out."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chip:
    """One term of a filter, and the filter without it."""

    term: str
    rest: str


def chips(terms: Sequence[str]) -> tuple[Chip, ...]:
    """A chip for each term but the word `or`; with the last one of its row goes the `or` beside it."""
    return tuple(
        Chip(term, " ".join(_without_loose_or([*terms[:index], *terms[index + 1 :]])))
        for index, term in enumerate(terms)
        if term != "or"
    )


def _without_loose_or(words: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        if word != "or" or (kept and kept[-1] != "or"):
            kept.append(word)
    return kept[:-1] if kept and kept[-1] == "or" else kept
