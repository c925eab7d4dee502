"""Messages that every socket shares: written once, packed once, framed once."""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboard.live.frames import framed
from dashboard.queries.body_changes import Body

Message = bytes
"""A frame: of text, or where that is long of its UTF-8 as a zlib stream. Packing for each socket would cost a core."""
LONGEST_PLAIN = 1024


def snapshot(stream: str, seq: int, *, as_of: datetime | None, body: Body) -> Message:
    """The whole state as a message."""
    return _packed({"stream": stream, "seq": seq, "kind": "snapshot", "as_of": _iso(as_of), **body})


def delta(stream: str, seq: int, *, base: int, as_of: datetime | None, changed: Body) -> Message:
    """The change since the message `base` of the same stream."""
    return _packed({"stream": stream, "seq": seq, "base": base, "kind": "delta", "as_of": _iso(as_of), **changed})


def bell(of: str, seq: int) -> Message:
    """A list changed: who shows it fetches it."""
    return _packed({"stream": "bell", "seq": seq, "of": of})


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _packed(message: Mapping[str, Any]) -> Message:
    text = json.dumps(message, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    return framed(text, is_text=True) if len(text) <= LONGEST_PLAIN else framed(zlib.compress(text), is_text=False)
