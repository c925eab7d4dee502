"""Which source a request speaks for: told by its token, never by what it says itself."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from collector.receive.answers import busy
from collector.receive.refusals import PERMISSION_DENIED, UNAUTHENTICATED, Refused

log = logging.getLogger(__name__)

LOOK_UP_SECONDS = 5.0
NOT_NOW = "The token cannot be checked now: Weir's database does not answer."
FRESH = timedelta(seconds=30)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
MOST_KEPT = 10_000
OPEN_SOURCE = ""  # nobody in particular: tokens are optional, and none was sent


class Token(Protocol):
    """What the receiver needs of a token: who it is, and whether it is for sending in."""

    @property
    def public_id(self) -> str:
        """The part of the token that is no secret."""

    @property
    def kind(self) -> str:
        """ingest or api."""


@dataclass(frozen=True, slots=True)
class _Kept:
    token: Token | None
    read_at: datetime


class Senders:
    """Tokens, looked up on one thread of their own and kept for 30 s; longer while Postgres is away.

    `doubt`, when one was revoked, has each looked up again at once: on that thread, so that none is being looked up.

    `find` raises any exception of `away` while it cannot answer.
    """

    def __init__(
        self,
        find: Callable[[str, datetime], Token | None],
        *,
        required: bool,
        away: tuple[type[Exception], ...],
        executor: Executor,
        now: Callable[[], datetime],
    ) -> None:
        self._find = find
        self._required = required
        self._away = away
        self._executor = executor
        self._now = now
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def source(self, authorization: str | None) -> str | Future[str]:
        """The source that this Authorization header speaks for: at once where it is known, else as a future.

        Raises Refused, at once or in the future: 401 without a token where one is required, or with a wrong one;
        403 with a token that is not for sending in; 503 where Postgres is away and the token was never seen.
        """
        if not authorization:
            if self._required:
                raise Refused(401, UNAUTHENTICATED, "Send an ingest token: Authorization: Bearer weir_ingest_…")
            return OPEN_SOURCE
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        if scheme.lower() != "bearer" or not text:
            raise _wrong_token()
        with self._lock:
            kept = self._kept.get(text)
        if kept is not None and abs(self._now() - kept.read_at) < FRESH:  # a clock may be set back
            return _source_of(kept.token)
        return self._executor.submit(self._look_up, text, kept)

    def remembered(self, authorization: str) -> str:
        """The source that this header spoke for when it was last looked up: for when a look-up takes too long.

        Raises Refused: 503 where it never was.
        """
        with self._lock:
            kept = self._kept.get(authorization.partition(" ")[2].strip())
        if kept is None:
            raise busy(NOT_NOW)
        return _source_of(kept.token)

    def doubt(self) -> None:
        """Some may have changed. What is known stays, for when Postgres goes away."""
        with self._lock:
            self._kept = OrderedDict((text, replace(kept, read_at=LONG_AGO)) for text, kept in self._kept.items())

    def _look_up(self, text: str, kept: _Kept | None) -> str:
        now = self._now()
        try:
            kept = _Kept(self._find(text, now), now)
        except self._away as error:
            log.warning("A token could not be looked up: %s", error)
            if kept is None:
                raise busy(NOT_NOW) from None
            return _source_of(kept.token)
        with self._lock:
            self._kept[text] = kept
            self._kept.move_to_end(text)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return _source_of(kept.token)


def _source_of(token: Token | None) -> str:
    if token is None:
        raise _wrong_token()
    if token.kind != "ingest":
        raise Refused(403, PERMISSION_DENIED, "This token is not for sending in. Make one of kind ingest.")
    return token.public_id


def _wrong_token() -> Refused:
    return Refused(401, UNAUTHENTICATED, "The token is not valid. Make a new one, or send none if tokens are optional.")
