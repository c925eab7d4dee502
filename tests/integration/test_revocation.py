"""A sender whose token was revoked: refused as soon as the receiver hears of it."""

import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from django.db import connection

from collector.clock import now
from collector.config import tokens
from collector.receive.refusals import Refused
from collector.receive.senders import Senders
from collector.store.connection import StoreAway
from collector.store.listening import Listener

pytestmark = pytest.mark.usefixtures("clean_tables")


def test_s25_a_revoked_token_is_refused_once_its_end_is_heard_of() -> None:
    text = tokens.mint("ingest", "shop", person_id=None, scopes=["ingest"], now=now())
    public_id = text.split("_")[2]
    listener = Listener()
    with ThreadPoolExecutor(1) as database:
        senders = Senders(tokens.find, required=True, away=(StoreAway,), executor=database, now=now)

        def speaks_for() -> str:
            found = senders.source(f"Bearer {text}")
            return found.result() if isinstance(found, Future) else found

        def hears() -> bool:
            return database.submit(listener.asked, "access").result()

        try:
            assert speaks_for() == public_id
            assert hears()  # a new connection may have missed something
            assert not hears()
            assert tokens.revoke(public_id, now=now())
            assert speaks_for() == public_id  # it is remembered
            until = time.monotonic() + 30
            while not hears():
                assert time.monotonic() < until
            senders.doubt()
            with pytest.raises(Refused) as refused:
                speaks_for()
            assert refused.value.http_status == 401
        finally:
            database.submit(lambda: connection.close()).result()  # noqa: PLW0108  # the connection of that thread
