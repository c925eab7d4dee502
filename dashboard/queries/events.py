"""Events, by one name: one event and its path, a trace, lists, and search."""

from dashboard.queries.event import Event, EventPage, Payload, TracePage, event, payload, topics_of, trace
from dashboard.queries.event_lists import EventRow, newest_events, recent_events
from dashboard.queries.header_search import with_header
from dashboard.queries.paths import Hop, Lineage
from dashboard.queries.search import Found, indexed_names, search

__all__ = [
    "Event",
    "EventPage",
    "EventRow",
    "Found",
    "Hop",
    "Lineage",
    "Payload",
    "TracePage",
    "event",
    "indexed_names",
    "newest_events",
    "payload",
    "recent_events",
    "search",
    "topics_of",
    "trace",
    "with_header",
]
