"""What a person is told where Postgres did not answer: that it took too long, or that it is away."""

from dataclasses import dataclass

from django.db import InterfaceError, OperationalError
from psycopg.errors import QueryCanceled
from psycopg_pool import PoolTimeout

RETRY_AFTER_SECONDS = 5


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
AWAY = Unanswered("The database does not answer", "Nothing is lost by that. Try again in a few seconds.")


def why(error: BaseException | None) -> Unanswered | None:
    """Of an error that Django raised for Postgres: a statement's or a connection's time was up, or it is away.

    None where the error is another one, and then a fault of Weir's.
    """
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    return TOO_LONG if isinstance(error.__cause__, QueryCanceled | PoolTimeout) else AWAY
