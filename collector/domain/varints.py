"""Whole numbers as few bytes: 7 bits a byte, low bits first, the top bit says that more follow."""

from typing import NamedTuple


class Malformed(ValueError):
    """Bytes that do not say what they should."""


class Read(NamedTuple):
    """A number and where the next one starts."""

    number: int
    next_at: int


def varint(number: int) -> bytes:
    """A number that is not negative."""
    body = bytearray()
    while number > 0x7F:
        body.append(number & 0x7F | 0x80)
        number >>= 7
    body.append(number)
    return bytes(body)


def read_varint(body: bytes, at: int) -> Read:
    """The number that starts at `at`, below 2^70. Raises Malformed."""
    number = shift = 0
    while True:
        if at >= len(body) or shift > 63:
            raise Malformed("a number has no end")
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return Read(number, at)


def zigzag(number: int) -> int:
    """Signed to not negative, small stays small: 0, -1, 1, -2 … become 0, 1, 2, 3 …"""
    return number << 1 if number >= 0 else (-number << 1) - 1


def unzigzag(number: int) -> int:
    """The signed number of `zigzag`."""
    return number >> 1 if not number & 1 else -((number + 1) >> 1)
