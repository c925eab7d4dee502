"""Text that somebody else wrote, made safe to read: signs that hide or turn around others are spelled out."""

import unicodedata

_SPELLED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_KEPT = {"\u200d"}  # joins emoji and letters of some scripts; harmless beside visible ones
_INVISIBLE = {"\u115f", "\u1160", "\u3164", "\uffa0", "\u2800", "\u034f"}


def spelled(text: str, *, keep: str = "") -> str:
    """Text with C0, C1, bidi, zero-width and other invisible characters as \\u202e. `keep` names ones to leave."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char in keep or not _hides(char) else _escape(char) for char in text)


def _hides(char: str) -> bool:
    return char in _INVISIBLE or (char not in _KEPT and unicodedata.category(char) in _SPELLED)


def _escape(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
