"""What is remembered of attributes, so that the next span with the same bytes need not be looked at again."""

import re

from collector.domain.bearings import Bearing, of_name, of_value
from collector.otlp import slim
from collector.otlp.limits import Tally
from collector.otlp.values import attributes

LONGEST = 4_096  # bytes of an attribute that is remembered
SHORT = 6  # bytes of a value of which there are only so many
_NUMBER, _TEXT = 0x18, 0x0A  # AnyValue: int_value, string_value

# A value behind its name: a number of up to 35 bits, or text of ASCII. The lengths are checked by who uses it.
_PLAIN = re.compile(rb"\x12.(?:\x18[\x80-\xff]{0,4}[\x00-\x7f]|\x0a.[\x00-\x7f]*)", re.DOTALL)


class Trait:
    """One attribute as far as it matters; the same object for all that are alike in that.

    `is_plain`: its bytes are a number or ASCII text, as `number` reads them.
    """

    __slots__ = ("bearing", "is_plain", "name")

    def __init__(self, name: str, bearing: Bearing, *, is_plain: bool = False) -> None:
        self.name = name
        self.bearing = bearing
        self.is_plain = is_plain


class Traits:
    """Attributes by their bytes; those whose value bears nothing, or only the place, by their names."""

    def __init__(self) -> None:
        self.by_bytes: dict[bytes, Trait] = {}
        self.n_bytes = 0
        self._plain: dict[bytes, Trait] = {}  # by the name's bytes, as they stand in front of the value
        self._same: dict[tuple[str, Bearing, bool], Trait] = {}

    def learn(self, raw: bytes) -> Trait:
        """The trait of an attribute whose bytes are new. Raises DecodeError."""
        size = raw[1] + 2 if len(raw) > 1 else 0
        found = self._plain.get(raw[:size])
        if found is None or not _is_plain(raw, size) or _may_matter(found.name, raw, size):
            found = self._learn(raw)
        if found.bearing is Bearing.VALUE or len(raw) - size <= SHORT:
            self._remember(raw, found)
        return found

    def forget(self) -> None:
        """Begin anew: equal attributes of before and after are two."""
        self.by_bytes.clear()
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
        found = self._same.setdefault((name, bearing, is_plain), Trait(name, bearing, is_plain=is_plain))
        if is_plain and raw[:size] not in self._plain:
            self._plain[raw[:size]] = found
            self.n_bytes += size
        return found

    def _remember(self, raw: bytes, trait: Trait) -> None:
        if len(raw) <= LONGEST:
            self.by_bytes[raw] = trait
            self.n_bytes += len(raw)


def number(raw: bytes) -> int | None:
    """The number in a plain attribute, binary or in up to 18 decimal digits; None where there is none."""
    at = raw[1] + 4
    if raw[at] == _NUMBER:
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
    if not _PLAIN.fullmatch(raw, size) or raw[size + 1] != rest or rest > 0x7F:
        return False
    return raw[size + 2] == _NUMBER or raw[size + 3] == rest - 2


def _may_matter(name: str, raw: bytes, size: int) -> bool:
    """Whether the plain value must be kept, where the name alone does not say that it bears nothing."""
    if of_name(name) is not Bearing.VALUE:
        return False
    value = raw[size + 4 :].decode() if raw[size + 2] == _TEXT else number(raw)
    return of_value(name, value) is Bearing.VALUE
