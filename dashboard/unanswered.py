"""What a person is told where Postgres did not answer: that it took too long, or that it is away."""

from dataclasses import dataclass

from django.db import InterfaceError, OperationalError
from psycopg.errors import QueryCanceled
from psycopg_pool import PoolTimeout

RETRY_AFTER_SECONDS = 5
_GONE = ("08", "53", "57P")  # classes and codes: no connection, no room, shut down


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A heading, and what can be done."""

    heading: str
    sentence: str


TOO_LONG = Unanswered(
    "This took too long",
    "The database did not finish in time. Choose a shorter time range or a narrower filter, or try again when it is"
    " less busy.",
)
BUSY = Unanswered(
    "The database does not answer",
    "No connection to it became free: it is away, or very busy. Nothing is lost by that. Try again in a few seconds.",
)
AWAY = Unanswered("The database does not answer", "Nothing is lost by that. Try again in a few seconds.")


def why(error: BaseException | None) -> Unanswered | None:
    """Of an error that Django raised for Postgres: a statement's time was up, no connection became free, or it is away.

    None where the error is another one, and then a fault of Weir's.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    if isinstance(error.__cause__, QueryCanceled):
        return TOO_LONG
    if isinstance(error.__cause__, PoolTimeout):
        return BUSY
    code = getattr(error.__cause__, "sqlstate", None)
    return AWAY if code is None or code.startswith(_GONE) else None
