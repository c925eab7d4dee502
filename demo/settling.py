"""Which offsets may be committed: those of records whose results Kafka has, and of all before them."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from demo.records import Position


@dataclass(slots=True)
class _Handled:
    position: Position
    n_unsent: int


class Settling:
    """Records in the order they were read, each with the number of results that Kafka has not confirmed."""

    def __init__(self) -> None:
        self._handled: deque[_Handled] = deque()

    def handled(self, position: Position, *, n_results: int) -> Callable[[], None]:
        """Note a processed record; call what is returned once for each of its results that was delivered."""
        entry = _Handled(position, n_results)
        self._handled.append(entry)

        def delivered() -> None:
            entry.n_unsent -= 1

        return delivered

    def settled(self) -> Iterator[Position]:
        """Take out the records that are done, oldest first, up to the first that is not."""
        while self._handled and self._handled[0].n_unsent == 0:
            yield self._handled.popleft().position

    def forget(self) -> None:
        """Drop the rest: its partitions belong to somebody else now, who will be handed the records again."""
        self._handled.clear()
