"""What the frame of every page knows without the database: sections, theme, shortcuts, whether this is a demo."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.http import HttpRequest

from collector.clock import now

THEMES = ("light", "dark")
THEME_COOKIE, KEYS_COOKIE = "weir_theme", "weir_keys"


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the navigation: the page's name, its title, and the key that follows `g`."""

    name: str
    title: str
    key: str


SECTIONS = (
    Section("overview", "Overview", "o"),
    Section("topics", "Topics", "t"),
    Section("groups", "Groups", "g"),
    Section("services", "Services", "s"),
    Section("events", "Events", "e"),
    Section("dead_letters", "Dead letters", "d"),
    Section("retries", "Retries", "r"),
    Section("audit", "Audit", "a"),
    Section("settings", "Settings", "n"),
    Section("health", "Health", "h"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of one answer. `theme` is empty where the system's is followed."""

    now: datetime
    sections: tuple[Section, ...]
    demo: bool
    theme: str
    single_keys: bool


def frame(request: HttpRequest) -> Frame:
    """The frame of the answer to this request."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return Frame(
        now(),
        SECTIONS,
        settings.WEIR_DEMO,
        theme if theme in THEMES else "",
        request.COOKIES.get(KEYS_COOKIE) != "off",
    )
