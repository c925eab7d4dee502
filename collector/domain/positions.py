"""The address of one Kafka record: topic, partition, offset."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A record's place. Equal positions are one event, unless the topic was created again in between."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """The form people type: orders.created/7/88123."""
        return f"{self.topic}/{self.partition}/{self.offset}"


def parse(text: str) -> Position | None:
    """Position from "topic/partition/offset", or None when the text is not one. Topic names never hold a slash."""
    parts = text.strip().rsplit("/", 2)
    if len(parts) != 3:
        return None
    topic, partition, offset = parts
    numbers_fit = partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()
    if not topic or "/" in topic or not numbers_fit or len(partition) > 9 or len(offset) > 18:
        return None
    return Position(topic, int(partition), int(offset))
