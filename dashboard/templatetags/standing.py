"""What the templates of topics and groups say: lags with their source, verdicts, kinds of changes."""

from collections.abc import Mapping
from math import inf

from django import template
from django.conf import settings
from django.utils.html import format_html, strip_tags

from collector.clock import now
from collector.domain.trends import direction
from dashboard.queries.conditions import PAST, Behind, of_verdict
from dashboard.queries.lag_trends import Since
from dashboard.queries.marks import Mark
from dashboard.templatetags import formats
from dashboard.templatetags.setting_words import told, value_of
from dashboard.templatetags.weir import shown, trend

register = template.Library()


@register.filter
def until(seconds: float | None) -> str:
    """Time until unread data is deleted at this pace."""
    if seconds is None:
        return "?"
    return "never" if seconds == inf else f"≈{formats.duration(seconds)}"


@register.filter
def lag_sort(group: str) -> str:
    """The order of partitions by the lag of a group."""
    return f"lag:{group}"


@register.filter
def at_partition(topic: str, partition: int) -> str:
    """`orders.created/7`."""
    return f"{topic}/{partition}"


@register.simple_tag
def trend_words(growth: float | None, since: Since | None) -> str:
    """A trend in words, with when it began: "growing 40/s since 14:02 UTC"."""
    if growth is None or not direction(growth):
        return trend(growth)
    begins = "" if since is None else format_html(" {}", _since(since))
    return format_html("{} {}{}", _pace_words(growth), formats.rate(abs(growth)), begins)


@register.simple_tag
def trend_since(growth: float | None, since: Since | Mapping[int, Since] | None, number: int = 0) -> str:
    """A trend as a number, with when it began as its title; `since` by `number`, or of just this one."""
    own = since.get(number) if isinstance(since, Mapping) else since
    if growth is None or own is None:
        return trend(growth)
    told = format_html("{} {}", _pace_words(growth), strip_tags(_since(own)))
    return format_html(
        '<span title="{}">{}<span class="visually-hidden"> ({})</span></span>', told, trend(growth), told
    )


def _pace_words(growth: float) -> str:
    return "growing" if growth > 0 else "falling"


def _since(since: Since) -> str:
    if not since.is_known:
        return f"for at least {formats.duration(since.seconds)}"
    title, text = formats.moment(since.at, now=now()), formats.clock(since.at, now=now())
    return format_html('since <time datetime="{}" title="{}">{}</time>', since.at.isoformat(), title, text)


@register.inclusion_tag("parts/lag.html")
def lag(behind: Behind | None) -> Mapping[str, object]:
    """A lag in seconds, with its margin or its source, and in offsets; `?` says why it is one."""
    every = formats.duration(settings.WEIR_SAMPLE_SECONDS)
    unknown = "not every end or commit is known"
    if behind is not None and behind.lag is None and behind.n_uncommitted:
        unknown = f"has not committed on {behind.n_uncommitted:,} partitions"
    waiting = f"needs 2 samples, or a look at the record itself; a sample is taken every {every}"
    return {
        "behind": behind,
        "unknown": unknown,
        "waiting": "of the past only the charts tell" if behind and behind.verdict == PAST else waiting,
        "source": "by the timestamp of the oldest unread record"
        if behind and behind.from_record
        else "from the history of end offsets",
    }


_MARKS = {
    "version": "deploy",
    "again": "topic created again",
    "partitions": "partitions",
    "config": "configuration",
    "rewind": "rewind",
    "rebalance": "rebalance",
    "lost": "data lost unread",
    "cut": "end fell",
}


@register.simple_tag
def mark_kind(kind: str) -> str:
    """The kind of a change in words."""
    return _MARKS.get(kind, kind)


@register.simple_tag
def change_words(mark: Mark) -> str:
    """The sentence of a change."""
    return shown(told(mark))


@register.inclusion_tag("parts/setting.html")
def setting(name: str, value: str | None) -> Mapping[str, str]:
    """The value of a setting, with what it is in words."""
    return value_of(name, value)


@register.inclusion_tag("parts/status.html")
def verdict(word: str) -> Mapping[str, object]:
    """A verdict as colour, shape and word."""
    return {"health": of_verdict(word).level, "word": word, "chip": False}
