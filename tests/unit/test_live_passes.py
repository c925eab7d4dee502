"""A thousand sockets that ask at once are looked up together."""

import asyncio
import threading
from collections.abc import Collection

import pytest

from dashboard.live.passes import Turnstile


def test_who_asks_while_others_are_looked_up_is_looked_up_after_them_together() -> None:
    asked: list[list[str]] = []
    hold, entered = threading.Event(), threading.Event()

    def look(keys: Collection[str]) -> dict[str, int]:
        asked.append(sorted(keys))
        entered.set()
        assert hold.wait(10)
        return {key: len(key) for key in keys if key != "nobody"}

    async def play() -> list[int | None]:
        turnstile = Turnstile(look)
        first = asyncio.create_task(turnstile.owner("a"))
        await asyncio.to_thread(entered.wait, 10)
        others = [asyncio.create_task(turnstile.owner(key)) for key in ("bb", "nobody", "bb", "a")]
        await asyncio.sleep(0)
        hold.set()
        return list(await asyncio.gather(first, *others))

    assert asyncio.run(play()) == [1, 2, None, 2, 1]
    assert asked == [["a"], ["a", "bb", "nobody"]]


def test_a_look_that_fails_tells_all_who_wait_and_the_next_one_is_tried() -> None:
    fail = True

    def look(keys: Collection[str]) -> dict[str, int]:
        if fail:
            raise ConnectionError
        return dict.fromkeys(keys, 7)

    async def play() -> None:
        nonlocal fail
        turnstile = Turnstile(look)
        found = await asyncio.gather(turnstile.owner("a"), turnstile.owner("b"), return_exceptions=True)
        assert [type(each) for each in found] == [ConnectionError, ConnectionError]
        fail = False
        assert await turnstile.owner("a") == 7

    asyncio.run(play())


def test_who_gives_up_does_not_take_the_others_along() -> None:
    hold = threading.Event()

    def look(keys: Collection[str]) -> dict[str, int]:
        assert hold.wait(10)
        return dict.fromkeys(keys, 7)

    async def play() -> None:
        turnstile = Turnstile(look)
        gone, stays = (asyncio.create_task(turnstile.owner("a")) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        hold.set()
        assert await stays == 7
        with pytest.raises(asyncio.CancelledError):
            await gone

    asyncio.run(play())
