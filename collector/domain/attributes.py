"""What of a span's attributes is kept with it: what many spans share, not what tells single events apart."""

import base64
import json
import re
from collections.abc import Mapping
from functools import lru_cache

from collector.domain.spans import Attributes, Value
from collector.domain.texts import cut

MAX_TEXT = 1_000  # characters of one value
MAX_BODY = 8_192  # characters of one object; what is beyond is left out, last names first
LARGEST_NUMBER = 99_999  # larger ones are ids, sizes or times

# Positions, ids, sizes and addresses of single events. What they say is stored in columns of its own, or in the record.
_SINGULAR = re.compile(
    r"messaging\.(?:message|kafka\.(?:message|offset|partition|destination\.partition|source\.partition)).*"
    r"|messaging\.(?:destination\.partition\.id|batch\.message_count|conversation_id|message_id|kafka\.offset)"
    r"|kafka\.(?:record\.queue_time_ms|partition|message_offset)"
    r"|messaging\.header\..*|thread\..*|exception\..*|enduser\..*|user\.id|session\.id"
    r"|url\.(?:full|path|query)|http\.(?:url|target)|http\.(?:request|response)\.(?:body|header)\..*"
    r"|(?:client|net\.peer|net\.sock\.peer|network\.peer|source)\.(?:port|address|ip)"
    r"|process\.(?:pid|parent_pid|command_args|command_line)"
)
_ID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,}|[0-9]{6,}"
)


def shared(attributes: Attributes) -> str:
    """A JSON object of what is kept, names sorted, so that equal sets are equal text."""
    body = {
        cut(name, MAX_TEXT): _plain(value)
        for name, value in attributes.items()
        if not is_singular(name) and not tells_apart(value)
    }
    text = _dumped(body)
    while len(text) > MAX_BODY:
        for name in sorted(body)[-max(1, len(body) // 4) :]:
            del body[name]
        text = _dumped(body)
    return text


def joined(*, span: str, resource: str) -> bytes:
    """One set: a span's `shared` attributes and its resource's."""
    return f'{{"resource":{resource},"span":{span}}}'.encode()


@lru_cache(maxsize=4_096)
def is_singular(name: str) -> bool:
    """True where the name alone says that the value tells single events apart."""
    return _SINGULAR.fullmatch(name) is not None


def tells_apart(value: Value) -> bool:
    """True where the value itself does: ids, large numbers, measures."""
    if isinstance(value, str):
        return _ID.fullmatch(value) is not None
    return isinstance(value, float | bytes) or (isinstance(value, int) and abs(value) > LARGEST_NUMBER)


def _plain(value: Value) -> object:
    if isinstance(value, str):
        return cut(value, MAX_TEXT)
    if isinstance(value, bytes):
        return cut(base64.b64encode(value).decode(), MAX_TEXT)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return str(value) if isinstance(value, float) else value  # JSON has no NaN


def _dumped(body: Mapping[str, object]) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
