"""Which nodes of the graph the path of an event touches."""

import re
from collections.abc import Mapping

from dashboard.queries.event import event
from dashboard.queries.search import search

MOST_EVENTS, MOST_HOPS = 3, 2_000
_TERM = re.compile(r"(?:^|\s)-?event:(\S+)")


def nodes_of_events(filter_text: str) -> Mapping[str, frozenset[str]]:
    """For each `event:` of a filter, as it was typed, the ids of its path's nodes: of the first three."""
    return {text: _nodes(text) for text in list(dict.fromkeys(_TERM.findall(filter_text)))[:MOST_EVENTS]}


def _nodes(text: str) -> frozenset[str]:
    found: set[str] = set()
    for row in search(text, only="event").rows:
        page = event(row.cluster, row.topic, row.partition, row.offset, most_hops=MOST_HOPS)
        for hop in page.path.hops if page else ():
            found |= {each for each in (hop.service, hop.topic, hop.group) if each}
    return frozenset(found)
