"""Dead letters as a file: only where the settings file allows it, masked, capped, and written down."""

import asyncio
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.test import Client

from collector.config import declared
from collector.config.rules import masks, standing
from dashboard.queries import letter_export
from tests.integration.letter_world import LetterWorld, dead_record
from tests.integration.people import audit_rows, person, signed_in

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from django.http import StreamingHttpResponse

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture
def world() -> LetterWorld:
    found = LetterWorld()
    found.park(*[dead_record(n) for n in range(3)])
    return found


def allowed(folder: Path, *more: str) -> None:
    file = folder / "weir.toml"
    file.write_text("\n".join(["[permissions]", "export = true", *more]))
    call_command("apply", str(file))
    standing.pin(masks(declared.document()), seconds=60)


def body(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, answer
    pieces = cast("AsyncIterator[bytes]", cast("StreamingHttpResponse", answer).streaming_content)

    async def whole() -> bytes:
        return b"".join([piece async for piece in pieces])

    return asyncio.run(whole()).decode()


def test_it_is_off_and_refused_until_a_settings_file_allows_it(
    world: LetterWorld, olga: Client, tmp_path: Path
) -> None:
    assert olga.get("/dead-letters/export.csv").status_code == 403
    assert "export.csv" not in olga.get("/dead-letters/?view=list").content.decode()
    assert audit_rows("action", "result", actions=["export dead letters"]) == [("export dead letters", "refused")]
    allowed(tmp_path)
    assert 'href="/dead-letters/export.csv?status=open"' in olga.get("/dead-letters/?view=list").content.decode()
    assert signed_in(person("vera", "viewer")).get("/dead-letters/export.csv").status_code == 403
    assert olga.get("/dead-letters/export.exe").status_code == 404


def test_csv_has_a_line_a_letter_and_no_formula(world: LetterWorld, olga: Client, tmp_path: Path) -> None:
    allowed(tmp_path)
    world.park(replace(dead_record(5), key=b"=HYPERLINK(1)"))
    rows = list(csv.DictReader(io.StringIO(body(olga, "/dead-letters/export.csv?q=attempt>=1"))))
    assert [(row["offset"], row["key"], row["exception_class"], row["origin_offset"]) for row in rows] == [
        ("5", "'=HYPERLINK(1)", "shop.billing.CardDeclined", "105"),
        *((str(n), f"order-{n}", "shop.billing.CardDeclined", str(100 + n)) for n in (2, 1, 0)),
    ]
    assert body(olga, "/dead-letters/export.csv?q=nonsense>").count("\n") == 1, "only its head"
    deeds = audit_rows("action", "object", "result", "facts ->> 'payloads'", actions=["export dead letters"])
    assert deeds[0] == (
        "export dead letters", "csv: all attempt>=1", "done", "false",
    )  # fmt: skip


def test_json_lines_hold_what_may_be_seen(world: LetterWorld, olga: Client, tmp_path: Path) -> None:
    allowed(tmp_path, "[mask.amounts]", 'topics = ["*"]', 'paths = ["$.amount"]')
    world.park(replace(dead_record(5), value=b"\xff\x00"), replace(dead_record(6), value=None))
    found: list[dict[str, Any]] = [json.loads(line) for line in body(olga, "/dead-letters/export.jsonl").splitlines()]
    assert [row["value"] for row in found] == [None, "•••", *['{"amount":"•••"}'] * 3]
    assert ["order-id", "order-0"] in found[-1]["headers"]
    assert "12.5" not in json.dumps(found)


def test_a_file_ends_where_it_is_cut_and_says_so(
    world: LetterWorld, olga: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed(tmp_path)
    monkeypatch.setattr(letter_export, "MOST_LETTERS", 2)
    *rows, last = body(olga, "/dead-letters/export.csv").splitlines()
    assert len(rows) == 3
    assert last == "Cut after 2 dead letters; there are more."
    *lines, end = body(olga, "/dead-letters/export.jsonl").splitlines()
    assert (len(lines), json.loads(end)) == (2, {"cut": "Cut after 2 dead letters; there are more."})


def test_s61_a_third_export_is_refused_while_two_run(world: LetterWorld, olga: Client, tmp_path: Path) -> None:
    allowed(tmp_path)

    async def pieces(n_open: int) -> list[int]:
        began = []
        for _ in range(n_open):
            answer = await sync_to_async(olga.get)("/dead-letters/export.csv")
            found = aiter(cast("AsyncIterator[bytes]", cast("StreamingHttpResponse", answer).streaming_content))
            await anext(found)
            began.append(found)
        refused = await sync_to_async(olga.get)("/dead-letters/export.csv")
        for found in began:
            await cast("AsyncGenerator[bytes]", found).aclose()
        return [refused.status_code, int(refused["Retry-After"])]

    assert asyncio.run(pieces(2)) == [429, 10]
    assert body(olga, "/dead-letters/export.csv")
