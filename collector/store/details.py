"""Spans as they came: many requests together, compressed, for a day; what failed, and what died, for as long as spans.

Requests put together are one request (protobuf appends repeated fields), so nothing is parsed to keep them, and what
many of them share costs its bytes once.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from uuid import UUID

import zstandard
from django.db.backends.utils import CursorWrapper

from collector.otlp import slim
from collector.store import rows
from collector.store.copying import copy
from collector.store.spans import Failed, Request

CHUNK_BYTES = 256 * 1024  # the most that is read to show one span
MOST_BYTES = 4 * 1024**2  # of one row unpacked: no request is larger
LEVEL = 1
ID_BYTES = 4
_ID = slice(rows.SPAN_ID_AT, rows.SPAN_ID_AT + ID_BYTES)  # in a head
MOST_FRAME_BYTES = 16 * 1024  # of resource and scope that are written again for each failed span
MOST_LETTERS = 5_000  # traces of one leaf
MOST_OF_TRACE, MOST_OF_LETTERS = 1_000, 100_000  # spans of them

_DETAIL = ("span_detail (stored_at, n_spans, ids, body)", "timestamptz int4 bytea bytea")
_KEPT = ("span_detail_kept (trace_id, span_id, stored_at, body)", "uuid int8 timestamptz bytea")


def write(cursor: CursorWrapper, requests: Sequence[Request], stored_at: datetime) -> None:
    """Keep what these requests said; failed spans also by themselves, without a resource that is very large."""
    packer = zstandard.ZstdCompressor(level=LEVEL)
    copy(cursor, _DETAIL, ((stored_at, n, ids, packer.compress(body)) for n, ids, body in _chunks(requests)))
    failed = (each for request in requests for each in request.failed)
    copy(cursor, _KEPT, ((*_ids(each[:2]), stored_at, packer.compress(_alone(each))) for each in failed))


def _alone(failed: Failed) -> bytes:
    return slim.around(failed.span, *(failed.frame if sum(map(len, failed.frame)) <= MOST_FRAME_BYTES else ()))


def _chunks(requests: Sequence[Request]) -> Iterator[tuple[int, bytes, bytes]]:
    """How many spans, their ids, and the bytes of about CHUNK_BYTES of requests at a time."""
    heads: list[bytes] = []
    bodies: list[bytes] = []
    size = 0
    for request in requests:
        heads += request.heads
        bodies.append(request.body)
        size += len(request.body)
        if size >= CHUNK_BYTES:
            yield _chunk(heads, bodies)
            heads, bodies, size = [], [], 0
    if heads:
        yield _chunk(heads, bodies)


def _chunk(heads: Sequence[bytes], bodies: Sequence[bytes]) -> tuple[int, bytes, bytes]:
    return len(heads), b"".join([head[_ID] for head in heads]), b"".join(bodies)


def keep_for_letters(cursor: CursorWrapper, *, from_at: datetime, to_at: datetime) -> int:
    """Keep the spans that dead letters of this time were written in for as long as all spans; how many.

    Before the rest of that time goes. At most MOST_LETTERS traces, and so much of each: a trace may never end. The span
    that wrote the letter first.
    """
    cursor.execute(
        "select s.stored_at, s.trace_id, s.span_id from (select trace_id, array_agg(span_id) writers from dead_letter"
        "  where seen_at >= %(from)s and seen_at < %(to)s and trace_id is not null group by 1 limit %(letters)s) d"
        " cross join lateral (select s.stored_at, s.trace_id, s.span_id from span s where s.trace_id = d.trace_id"
        "  and s.stored_at >= %(from)s and s.stored_at < %(to)s and not exists"
        "   (select from span_detail_kept k where k.trace_id = s.trace_id and k.span_id = s.span_id)"
        "  order by s.span_id = any(d.writers) desc nulls last limit %(of_trace)s) s limit %(most)s",
        {"from": from_at, "to": to_at, "letters": MOST_LETTERS, "of_trace": MOST_OF_TRACE, "most": MOST_OF_LETTERS},
    )
    wanted: defaultdict[datetime, set[tuple[bytes, bytes]]] = defaultdict(set)
    for stored_at, trace_id, span_id in cursor.fetchall():
        wanted[stored_at].add((trace_id.bytes, span_id.to_bytes(8, "big", signed=True)))
    packer, n_kept = zstandard.ZstdCompressor(level=LEVEL), 0
    for stored_at, ids in wanted.items():
        cursor.execute("select body from span_detail where stored_at = %s", [stored_at])
        found = {
            each: packer.compress(body)
            for (packed,) in cursor.fetchall()
            for each, body in slim.singles(_unpacked(packed), ids, most_frame=MOST_FRAME_BYTES)
        }
        copy(cursor, _KEPT, ((*_ids(each), stored_at, body) for each, body in found.items()))
        n_kept += len(found)
    return n_kept


def _unpacked(packed: bytes | memoryview) -> bytes:
    return zstandard.ZstdDecompressor().decompress(bytes(packed), max_output_size=MOST_BYTES)


def _ids(found: tuple[bytes, bytes]) -> tuple[UUID, int]:
    return UUID(bytes=found[0]), int.from_bytes(found[1], "big", signed=True)
