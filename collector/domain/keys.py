"""Keys of records as indexes hold them: a hash that tells them apart, and the text where they are some."""

import hashlib

MOST_KEY_TEXT = 200  # characters of a key that is kept as text
MAX_KEY = 200  # characters that a key is searched by


def key_hash(key: bytes | None) -> int | None:
    """64 bits, signed. None for no key."""
    return None if key is None else int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big", signed=True)


def key_text(key: bytes | None) -> str | None:
    """The key as text where it is some: UTF-8, printable, at most 200 characters."""
    try:
        text = (key or b"").decode()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= MOST_KEY_TEXT and text.isprintable() else None


def searchable(raw: bytes | None) -> str | None:
    """The text that people search by: UTF-8 of 1 to MAX_KEY characters that Postgres can hold; else None."""
    if not raw or len(raw) > MAX_KEY * 4:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    return text if len(text) <= MAX_KEY and "\x00" not in text else None
