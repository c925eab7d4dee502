"""What a span's rows owe to one of its attributes: nothing, the place of the event, or more.

Spans that are alike but for what bears nothing get the same names and the same hop, so these are found out once.
"""

from enum import IntEnum
from functools import lru_cache

from collector.domain import hops, messaging
from collector.domain.attributes import is_singular, tells_apart
from collector.domain.spans import Value


class Bearing(IntEnum):
    """How much of an attribute has a say in the rows."""

    NAME = 0  # that it is there; its value may be anything
    PLACE = 1  # its value says partition or offset, and nothing else
    VALUE = 2


@lru_cache(maxsize=4_096)
def of_name(name: str) -> Bearing:
    """What an attribute of this name bears, whatever its value."""
    if is_singular(name):
        if name in messaging.PLACE_NAMES:
            return Bearing.PLACE
        if name not in hops.READ:
            return Bearing.NAME
    return Bearing.VALUE


def of_value(name: str, value: Value) -> Bearing:
    """What this attribute bears: a value that tells single events apart is kept nowhere, and few names are read."""
    found = of_name(name)
    return Bearing.NAME if found is Bearing.VALUE and name not in hops.READ and tells_apart(value) else found
