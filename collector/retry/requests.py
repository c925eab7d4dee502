"""The door for retries: freeze what a person chose, once per click, and say what a plan would do."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from collector import audit
from collector.changes import announce
from collector.domain.dead_letters import LetterStatus
from collector.retry.destinations import World, destination, refusal, world_of
from collector.retry.plans import Plan, plan
from collector.retry.refusals import Changed, NotAllowed, NothingToSend, Refusal, TokenReused, TooMany
from collector.retry.waking import wake
from collector.store import freezing
from collector.store.freezing import Destination, Letter
from collector.store.letter_states import move

__all__ = ["Plan", "Requested", "plan", "retry"]

MOST_LETTERS = 100_000
EXPECT_ABOVE = 100  # more letters than this need `expect`
MOST_TOKEN = 200  # characters


@dataclass(frozen=True, slots=True)
class Requested:
    """The operation of a click. `repeated`: the same click had made it before, and nothing new happened now."""

    id: int
    repeated: bool


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and from where."""

    person_id: int
    person_name: str
    address: str


def retry(
    letters: Sequence[int],
    *,
    person_id: int,
    person_name: str,
    token: str,
    target: str | None,
    expect: int | None,
    now: datetime,
    address: str = "",
) -> Requested:
    """Freeze these letters for one send each, and wake a worker. The audit row is written here, also of a refusal.

    `token` makes a click count once: the same person's same token and request is the same operation. Letters that
    cannot be sent are left out; `expect`, the number that will be sent, must fit (needed above 100). Raises a Refusal.
    Call it outside of a transaction of your own: the row of a refusal would be rolled back with it.
    """
    wanted = sorted(set(letters))
    by = Asker(person_id, person_name, address)
    try:
        return _requested(wanted, by, token=token, target=target, expect=expect, now=now)
    except Refusal as error:
        _record(
            by,
            now,
            subject=", ".join(f"dead letter {letter}" for letter in wanted[:3]),
            result="refused",
            reason=str(error),
            facts={"letters": len(wanted), "target": target},
        )
        raise


def _requested(
    wanted: Sequence[int], by: Asker, *, token: str, target: str | None, expect: int | None, now: datetime
) -> Requested:
    if len(wanted) > MOST_LETTERS:
        raise TooMany(f"One operation takes at most {MOST_LETTERS:,} dead letters; these are {len(wanted):,}.")
    if not 1 <= len(token) <= MOST_TOKEN:
        raise TokenReused(f"The idempotency token needs 1 to {MOST_TOKEN} characters.")
    plan_digest = _digest(wanted, target, expect)
    with transaction.atomic(), connection.cursor() as cursor:
        number, is_new, digest = freezing.begin(
            cursor, token=token, plan=plan_digest, person_id=by.person_id, person_name=by.person_name, now=now
        )
        if not is_new:
            if digest != plan_digest:
                raise TokenReused(f"This token was used for operation #{number}, which asks for something else.")
            return Requested(number, repeated=True)
        n_sent, n_left_out = _freeze(cursor, number, wanted, target=target, expect=expect, now=now)
        facts = {"letters": n_sent, "left_out": n_left_out, "target": target}
        _record(by, now, subject=f"retry {number}", result="done", reason="", facts=facts)
        announce("retries", number)
        announce("letters")
        transaction.on_commit(lambda: wake(number))
    return Requested(number, repeated=False)


def _record(
    by: Asker,
    now: datetime,
    *,
    subject: str,
    result: Literal["done", "refused"],
    reason: str,
    facts: Mapping[str, int | str | None],
) -> None:
    audit.append(
        at=now,
        person_id=by.person_id,
        person_name=by.person_name,
        action="retry",
        object=subject,
        result=result,
        reason=reason,
        address=by.address,
        facts=dict(facts),
    )


def _freeze(
    cursor: CursorWrapper, number: int, wanted: Sequence[int], *, target: str | None, expect: int | None, now: datetime
) -> tuple[int, int]:
    """How many letters are in the operation, and how many were left out."""
    found = freezing.letters(cursor, wanted, lock=True)
    destinations, reasons = _sorted_out(found, world_of(cursor, found, target=target), target)
    reasons |= {letter: "There is no such dead letter." for letter in set(wanted) - {one.id for one in found}}
    if not destinations:
        raise NothingToSend(reasons)
    _fits(len(destinations), len(wanted), expect)
    sent = [letter for letter in found if letter.id in destinations]
    chosen = next(iter(destinations.values())).topic.id if target else None
    freezing.freeze(cursor, number, sent, destinations, target_id=chosen)
    moved = move(cursor, destinations, LetterStatus.RETRY_REQUESTED, out_of=[LetterStatus.OPEN], now=now)
    if len(moved) != len(destinations):
        raise RuntimeError("letters moved although they were locked")
    return len(destinations), len(reasons)


def _sorted_out(
    found: Sequence[Letter], world: World, target: str | None
) -> tuple[dict[int, Destination], dict[int, str]]:
    """Where those that can be sent go, and why the others cannot. Raises NotAllowed for a chosen target."""
    destinations: dict[int, Destination] = {}
    reasons: dict[int, str] = {}
    for letter in found:
        if why_not := refusal(letter):
            reasons[letter.id] = why_not
            continue
        try:
            destinations[letter.id], _ = destination(letter, target=target, world=world)
        except NotAllowed as error:
            if target is not None:
                raise
            reasons[letter.id] = str(error)
    return destinations, reasons


def _fits(n_sent: int, n_wanted: int, expect: int | None) -> None:
    if expect is None and n_wanted > EXPECT_ABOVE:
        raise Changed(f"More than {EXPECT_ABOVE} dead letters need the expected number: {n_sent} can be sent.")
    if expect is not None and expect != n_sent:
        raise Changed(f"{n_sent} can be sent, not {expect}.")


def _digest(wanted: Sequence[int], target: str | None, expect: int | None) -> UUID:
    said = repr((list(wanted), target, expect)).encode()
    return UUID(bytes=hashlib.blake2b(said, digest_size=16).digest())
