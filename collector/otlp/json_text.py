"""Hostile JSON text -> Python values, after one walk that counts depth, tokens and digits."""

import json
import math
import re

from collector.otlp.limits import MAX_JSON_DEPTH, MAX_JSON_TOKENS, MAX_NUMBER_CHARACTERS, Malformed, Tally

# Possessive, and a string may lack its end: every byte is looked at once, whatever the sender wrote.
_TOKEN = re.compile(rb'"[^"]*+"?|[\[\]{}]|[-+.0-9eE]++|[a-zA-Z]++')
_REPLACED = "\ufffd"
_OPEN, _CLOSE = frozenset(b"[{"), frozenset(b"]}")
_NUMBER = frozenset(b"-+.0123456789")


def load(body: bytes, tally: Tally) -> object:
    """The value that `body` holds. Raises Malformed: not JSON, NaN or Infinity, or beyond the limits.

    Bytes that are not UTF-8 are replaced, and counted in `tally`.
    """
    _scan(body)
    try:
        return json.loads(_text(body, tally), parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise Malformed(f"The body is not JSON: {error.msg} at character {error.pos}.") from None


def _text(body: bytes, tally: Tally) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        found = body.decode("utf-8-sig", "replace")
        tally.n_mended += max(1, found.count(_REPLACED) - body.count(_REPLACED.encode()))
        return found


def _scan(body: bytes) -> None:
    if b"\\" in body:  # A quote after it ends no string. JSON has none outside of strings: the reader stops there.
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    depth = 0
    for n_tokens, found in enumerate(_TOKEN.finditer(body)):
        first = body[found.start()]
        if n_tokens > MAX_JSON_TOKENS:
            raise Malformed(f"The JSON holds more than {MAX_JSON_TOKENS} tokens.")
        if first in _OPEN:
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise Malformed(f"The JSON is nested deeper than {MAX_JSON_DEPTH}.")
        elif first in _CLOSE:
            depth -= 1
        elif first in _NUMBER and found.end() - found.start() > MAX_NUMBER_CHARACTERS:
            raise Malformed(f"The JSON holds a number of more than {MAX_NUMBER_CHARACTERS} characters.")


def _refuse(constant: str) -> object:
    raise Malformed(f"The JSON holds {constant}, which JSON does not have.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Malformed("The JSON holds a number too large for 64 bits.")
    return number
