"""Text that Postgres can hold, whatever a sender wrote."""

REPLACEMENT = "\ufffd"
NEXT = "\nCaused by: "
Piece = tuple[str, str | None]


def storable(text: str) -> str:
    """`text` with NUL and lone surrogates as U+FFFD: Postgres takes neither, and one such name would stop a batch."""
    if "\x00" in text:
        text = text.replace("\x00", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        # A pair of surrogates written one by one (JSON escapes decoded apart) becomes its character.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def storable_bytes(raw: bytes) -> str:
    """Text from bytes that claim to be UTF-8, with U+FFFD for whatever is not or cannot be stored."""
    return raw.decode("utf-8", "replace").replace("\x00", REPLACEMENT)


def cut(text: str, size: int) -> str:
    """The first `size` characters, with an ellipsis as the last where something was cut."""
    return text if len(text) <= size else text[: size - 1] + "…"


def pieces(trace: str) -> list[Piece]:
    """A stack as lines that say something, each with the calls behind it up to the next "Caused by"; None for none.

    What is said differs from one event to the next, the calls come again and again: they are worth remembering.
    All joined by line feeds are the stack.
    """
    found: list[Piece] = []
    lead = ""
    for part in trace.split(NEXT):
        said, feed, calls = part.partition("\n")
        found.append((lead + said, calls if feed else None))
        lead = NEXT[1:]
    return found
