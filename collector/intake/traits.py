"""What is remembered of attributes, so that the next span with the same bytes need not be looked at again."""

import re

from collector.domain.attributes import tells_apart
from collector.domain.bearings import Bearing, of_name, of_value
from collector.otlp import slim
from collector.otlp.limits import Tally
from collector.otlp.values import attributes

LONGEST = 4_096  # bytes of an attribute that is remembered
SHORT = 6  # bytes of a value of which there are only so many
ENTRY_BYTES = 300  # about what one that is remembered takes beside its bytes
_VALUE = Bearing.VALUE
_INT_VALUE = 0x18
_FIELD, _STRING_VALUE = 0x12, 0x0A
_TEXTS = [bytes((_FIELD, size, _STRING_VALUE, max(0, size - 2))) for size in range(128)]
_NUMBER = re.compile(rb"\x12.\x18[\x80-\xff]{0,4}[\x00-\x7f]", re.DOTALL)


class Trait:
    """One attribute as far as it matters; the same object for all that are alike in that.

    `is_plain`: its bytes are a number or ASCII text, as `number` reads them. `is_sure`: what it bears is so for any
    value behind its name.
    """

    __slots__ = ("bearing", "is_plain", "is_sure", "name")

    def __init__(self, name: str, bearing: Bearing, *, is_plain: bool = False) -> None:
        self.name = name
        self.bearing = bearing
        self.is_plain = is_plain
        self.is_sure = of_name(name) is bearing


class Traits(dict[bytes, Trait]):
    """Attributes by their bytes; those whose value bears nothing, or only the place, by their names.

    `traits[raw]` is the trait of any attribute, looked at only where its bytes are new. Raises DecodeError.
    """

    def __init__(self) -> None:
        super().__init__()
        self.n_bytes = 0
        self._plain: dict[bytes, Trait] = {}  # by the name's bytes, as they stand in front of the value
        self._same: dict[tuple[str, Bearing, bool], Trait] = {}

    def __missing__(self, raw: bytes) -> Trait:
        size = raw[1] + 2 if len(raw) > 1 else 0
        found = self._plain.get(raw[:size])
        if found is None or not _is_plain(raw, size) or (not found.is_sure and not _tells_apart(raw, size)):
            found = self._learn(raw)
        if found.bearing is _VALUE or len(raw) - size <= SHORT:
            self._remember(raw, found)
        return found

    def plain_bytes(self, raw: bytes, trait: Trait) -> int:
        """How many bytes of an attribute, its name's, are enough to know its trait where its value is plain; else 0."""
        size = raw[1] + 2 if len(raw) > 1 else 0
        return size if self._plain.get(raw[:size]) is trait else 0

    def forget(self) -> None:
        """Begin anew: equal attributes of before and after are two."""
        self.clear()
        self._plain.clear()
        self._same.clear()
        self.n_bytes = 0

    def _learn(self, raw: bytes) -> Trait:
        pair = slim.attribute(raw)
        ((name, value),) = attributes([pair], Tally()).items()
        bearing = of_value(name, value)
        if bearing is Bearing.VALUE:
            return Trait(name, bearing)
        size = len(pair.key.encode()) + 2
        is_plain = raw[:size] == b"\x0a" + bytes((size - 2 & 0x7F,)) + name.encode() and _is_plain(raw, size)
        found = self._same.get((name, bearing, is_plain))
        if found is None:  # counted, too: ids may have any name
            found = self._same[name, bearing, is_plain] = Trait(name, bearing, is_plain=is_plain)
            self.n_bytes += ENTRY_BYTES + len(name)
        if is_plain and raw[:size] not in self._plain:
            self._plain[raw[:size]] = found
            self.n_bytes += ENTRY_BYTES + size
        return found

    def _remember(self, raw: bytes, trait: Trait) -> None:
        if len(raw) <= LONGEST:
            self[raw] = trait
            self.n_bytes += ENTRY_BYTES + len(raw)


def number(raw: bytes) -> int | None:
    """The number in a plain attribute, binary or in up to 18 decimal digits; None where there is none."""
    at = raw[1] + 4
    if raw[at] == _INT_VALUE:
        found = shift = 0
        for byte in raw[at + 1 :]:
            found |= (byte & 0x7F) << shift
            shift += 7
        return found
    digits = raw[at + 2 :]
    return int(digits) if digits.isdigit() and len(digits) < 19 else None


def _is_plain(raw: bytes, size: int) -> bool:
    """Whether a plain value, and nothing else, stands behind the first `size` bytes."""
    rest = len(raw) - size - 2
    if rest > 0x7F:
        return False
    if raw[size : size + 4] == _TEXTS[rest]:
        return raw.isascii()
    return _NUMBER.fullmatch(raw, size) is not None and raw[size + 1] == rest


def _tells_apart(raw: bytes, size: int) -> bool:
    return tells_apart(number(raw) if raw[size + 2] == _INT_VALUE else raw[size + 4 :].decode())
