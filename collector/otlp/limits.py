"""What one request may hold, and what a body that holds more, or is broken, is told."""

from dataclasses import dataclass, field

from collector.domain.spans import Span

MAX_BODY_BYTES = 20 * 1024 * 1024  # the OpenTelemetry Collector's default
MAX_SPANS = 50_000
MAX_SUBMESSAGES = 1_500_000  # each is about 63 bytes in memory
MAX_ATTRIBUTES = 128
MAX_LINKS = 128
MAX_BATCH_LINKS = 10_000
MAX_VALUE_BYTES = 16 * 1024
MAX_NAME_CHARACTERS = 1024
MAX_RAISED = 16
MAX_JSON_DEPTH = 64
MAX_JSON_TOKENS = 1_000_000
MAX_NUMBER_CHARACTERS = 400
MAX_PART_BYTES = 900_000
MAX_FRAME_BYTES = MAX_PART_BYTES // 2  # of a resource with a scope: both are repeated in each part


class Malformed(ValueError):
    """The body is not an OTLP trace request, or holds more than one request may hold. The text says which."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Spans of one body, how many were refused one by one, and why, in a sentence ("" where nothing was)."""

    spans: tuple[Span, ...]
    n_rejected: int
    reason: str


@dataclass(slots=True)
class Tally:
    """Counts what was refused or cut while one body is read."""

    rejected: dict[str, int] = field(default_factory=dict)
    n_cut: int = 0
    n_links_dropped: int = 0
    n_mended: int = 0

    def reject(self, reason: str, count: int = 1) -> None:
        """Count spans that were refused for `reason`."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count

    @property
    def n_rejected(self) -> int:
        """How many spans were refused."""
        return sum(self.rejected.values())

    @property
    def has_changed(self) -> bool:
        """True where what was read is not what was sent."""
        return bool(self.rejected or self.n_cut or self.n_mended)

    @property
    def sentence(self) -> str:
        """What happened, for the sender; "" where all was taken as it came."""
        told = [f"{count} spans refused: {reason}" for reason, count in self.rejected.items()]
        if self.n_cut:
            told.append(f"{self.n_cut} attributes, links or values beyond the limits were cut")
        if self.n_links_dropped:
            told.append(f"{self.n_links_dropped} links without valid ids were dropped")
        if self.n_mended:
            told.append(f"{self.n_mended} texts were not UTF-8: what cannot be read in them was replaced")
        return "; ".join(told)
