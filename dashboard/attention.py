"""The attention list: what is wrong now, worst first, each a sentence with its number, its unit and since when."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from collector.domain.silence import SECONDS, Basis
from dashboard.queries.graph import Facts, Graph
from dashboard.queries.health import Part
from dashboard.queries.letter_filter import of_topic
from dashboard.queries.silence import LOOKED_BACK, SilentTopic
from dashboard.queries.troubles import KINDS, FailingEdge, LateGroup, Letters, Troubles, troubles
from dashboard.templatetags.formats import duration, percent, rate

MOST = 20
Names = Mapping[str, str]
"""Of topics and groups, by id."""
_LEVELS = ("failing", "degraded")
_PARTS = {"receive": "Receiver", "collect": "Collector", "fold": "Folder", "sample": "Lag sampler"}
_MOST_PARTS = 4
_SURE_SECONDS = 3_600  # what is lost within an hour is failing


@dataclass(frozen=True, slots=True)
class Attention:
    """One line. `sel`: what of the graph it selects; empty where the link leads to another page."""

    id: str
    level: str
    title: str
    sentence: str
    url: str
    sel: str = ""
    is_endless: bool = False


@dataclass(frozen=True, slots=True)
class AttentionList:
    """The worst, how many there are beside them, and what is said where there are none, with its state.

    The page shows five until it is asked for the others.
    """

    items: tuple[Attention, ...]
    n_more: int
    fine: str
    level: str


def attention(known: Facts, drawn: Graph, *, now: datetime) -> AttentionList:
    """Of the graph that `known` makes. Ten statements at most."""
    found = listed(troubles(known, now=now), known, now=now)
    return AttentionList(tuple(found[:MOST]), max(0, len(found) - MOST), *_fine(drawn))


def _fine(drawn: Graph) -> tuple[str, str]:
    """How many nodes are within limits, of those whose state is known; and the state of that sentence."""
    n = Counter(node.health for node in drawn.nodes)
    within = n["ok"] + n["idle"]
    if not drawn.nodes:
        return "Nothing flowed in this window.", "idle"
    others = [f"{n[level]:,} {level}" for level in ("unknown", "degraded", "failing") if n[level]]
    counts = ", ".join([f"{within:,} {'node' if within == 1 else 'nodes'} within limits", *others])
    if n["degraded"] or n["failing"] or n["unknown"] > within:  # of the past little is known
        return f"Nothing is known to need attention: {counts}.", "unknown"
    return f"Nothing needs attention. {counts}.", "ok"


def as_plain(found: AttentionList) -> dict[str, Any]:
    """As the live socket and the page's data block write it."""
    return {
        "items": [
            {"id": e.id, "level": e.level, "title": e.title, "sentence": e.sentence, "url": e.url, "sel": e.sel}
            for e in found.items
        ],
        "n_more": found.n_more,
        "fine": found.fine,
        "level": found.level,
    }


def listed(found: Troubles, known: Facts, *, now: datetime) -> list[Attention]:
    """Every trouble as a line: failing before degraded, then Weir's own, what is late, fails, is quiet, died."""
    names = known.names.shown() if found.groups or found.edges or found.silent or found.letters else {}
    newest = {"fold": known.fresh.folded_at, "sample": known.fresh.scanned_at}
    own = [*_parts(found.parts, newest, now=now), *_intake(found, now=now)]
    lines: list[Attention] = [
        *own,
        *(_group(each, names, now=now) for each in sorted(found.groups, key=_lateness)),
        *(_edge(each, known, names, now=now) for each in sorted(found.edges, key=lambda each: -each.edge.errors)),
        *(_silent(each, names, now=now) for each in sorted(found.silent, key=lambda each: -each.usual.least)),
        *(
            _letters(each, names, now=now)
            for each in sorted(found.letters, key=lambda each: (-each.n_new, -each.n_open))
        ),
        *_leaving(found, now=now),
    ]
    return sorted(lines, key=_rank)


def _rank(line: Attention) -> tuple[bool, int]:
    """A group whose lag only grows never ends by itself: it stands before what fails in part."""
    failing = line.level == "failing" or line.is_endless
    return not failing, 0 if line.url == reverse("health") else 1 if line.is_endless else 2


def _lateness(each: LateGroup) -> tuple[float, float]:
    return -(each.behind.lag_seconds or 0.0), -(each.behind.lag or 0)


def _group(each: LateGroup, names: Names, *, now: datetime) -> Attention:
    """Where nobody saw it begin, all that is known is when it was last seen like that."""
    behind, losing = each.behind, each.loses_in_seconds
    level = "failing" if losing is not None and losing <= _SURE_SECONDS else each.health.level
    said = [f"is {_lag(each)}on {names[each.topic.id]}"]
    if each.growth and each.growth > 0:
        said.append(f"growing {rate(each.growth)}")
    if behind.since:
        said.append(f"since {clock(behind.since, now=now)}")
    elif each.seen_at:
        said.append(f"since before {clock(each.seen_at, now=now)}")
    if losing is not None:
        said.append(f"loses unread events in {duration(losing)} at this pace")
    return Attention(
        f"late {each.group.id} {each.topic.id}",
        level if level in _LEVELS else "degraded",
        names[each.group.id],
        f"{', '.join(said)}: {each.health.sentence}",
        reverse("group", args=[each.group.cluster, each.group.name]),
        is_endless=bool(each.growth and each.growth > 0),
    )


def _lag(each: LateGroup) -> str:
    behind = each.behind
    if behind.lag is None:
        return "behind by an unknown lag "
    offsets = f"{behind.lag:,} offset{'s' if behind.lag != 1 else ''}"
    if behind.lag_seconds is None:
        return f"{offsets} behind "
    return f"≈{duration(behind.lag_seconds)} ({offsets}) behind "


def _edge(each: FailingEdge, known: Facts, names: Names, *, now: datetime) -> Attention:
    edge = each.edge
    service, topic = known.names.service_id(edge.namespace, edge.service), each.topic.id
    group = known.names.groups.get(edge.group_id) if edge.group_id else None
    reads = KINDS[edge.kind] == "reads"
    identity = f"{topic}>{service}" + (f"@{group.id}" if group else "") if reads else f"{service}>{topic}"
    since = f", since {'before ' if each.is_older else ''}{clock(each.since, now=now)}" if each.since else ""
    if not each.since and each.last_at:
        since = f", the last at {clock(each.last_at, now=now)}"
    return Attention(
        f"fails {identity}",
        each.health.level,
        edge.service,
        f"fails on {percent(edge.errors / edge.messages)} of what it {'reads from' if reads else 'writes to'}"
        f" {names[topic]} ({edge.errors:,} of {edge.messages:,} {_within(known)}){since}",
        f"{reverse('overview')}?{urlencode({'sel': f'edge:{identity}'})}",
        f"edge:{identity}",
    )


def _within(known: Facts) -> str:
    return f"in {'the last ' if known.window.live else ''}{duration(known.window.seconds)}"


def _silent(each: SilentTopic, names: Names, *, now: datetime) -> Attention:
    window = duration(SECONDS)
    over = f"{each.usual.n} days" if each.usual.basis is Basis.HOUR else f"the last {each.usual.n} h"
    least = f"at least {each.usual.least:,} at this hour" if each.usual.basis is Basis.HOUR else (
        f"at least {each.usual.least:,}"
    )  # fmt: skip
    since = clock(each.since, now=now) if each.since else f"before {clock(each.until - LOOKED_BACK, now=now)}"
    return Attention(
        f"silent {each.topic.id}",
        "failing" if each.n == 0 else "degraded",
        names[each.topic.id],
        f"is far below its usual: {each.n:,} event{'s' if each.n != 1 else ''} in {window}, usually {least}"
        f" (over {over}), since {since}",
        reverse("topic", args=[each.topic.cluster, each.topic.name]),
    )


def _letters(each: Letters, names: Names, *, now: datetime) -> Attention:
    many = f"{each.n_open:,} open dead letter{'s' if each.n_open != 1 else ''}"
    if each.n_new:
        said = f"has {many}, {'at least ' if each.is_capped else ''}{each.n_new:,} new in the last 15 min"
        said += f", the first since {clock(each.first_at, now=now)}" if each.first_at else ""
    else:
        said = f"has {many}" + ("" if each.is_capped else ", none new in the last 15 min")
        said += f", since {clock(each.first_at, now=now)}" if each.first_at else ""
        said += f", the last at {clock(each.last_at, now=now)}" if each.last_at else ""
    return Attention(
        f"letters {each.topic.id}",
        "degraded",
        names[each.topic.id],
        said,
        f"{reverse('dead_letters')}?{urlencode({'q': of_topic(each.topic.cluster, each.topic.name)})}",
    )


def _leaving(found: Troubles, *, now: datetime) -> Iterable[Attention]:
    n, first_at = found.expiring.n, found.expiring.first_at
    if n and first_at:
        yield Attention(
            "leaving",
            "degraded",
            f"{n:,} open dead letter{'s' if n != 1 else ''}",
            f"{'leave' if n != 1 else 'leaves'} Kafka within {duration(found.expiring.within.total_seconds())},"
            f" {'the first ' if n != 1 else ''}at {clock(first_at, now=now)};"
            " Weir keeps a copy of each",
            f"{reverse('dead_letters')}?{urlencode({'q': 'expires<3h'})}",
        )


def _parts(broken: Sequence[Part], newest: Mapping[str, datetime | None], *, now: datetime) -> Iterable[Attention]:
    """One line, also for many: what is behind them has room, too. `newest`: of what a part last brought."""
    said = [(part, _ailing(part, newest.get(part.name), now=now)) for part in broken]
    identity = "parts " + " ".join(f"{part.name}/{part.instance}" for part in broken)
    if len(said) == 1:
        ((part, words),) = said
        yield Attention(identity, "failing", _called(part), f"{words}. {part.meaning}", reverse("health"))
    elif said:
        told = "; ".join(f"{_called(part)} {words}" for part, words in said[:_MOST_PARTS])
        rest = f"; and {len(said) - _MOST_PARTS:,} more" if len(said) > _MOST_PARTS else ""
        yield Attention(identity, "failing", f"{len(said):,} parts of Weir", f"fail: {told}{rest}", reverse("health"))


def _called(part: Part) -> str:
    return _PARTS.get(part.name, part.name)


def _ailing(part: Part, newest_at: datetime | None, *, now: datetime) -> str:
    if part.state == "failing":
        since = f" (since before {clock(part.at, now=now)})" if part.at else ""
        return f"does not work: {part.sentence.rstrip('.')}{since}"
    if part.at is not None and part.state == "missing":
        return f"was stopped at {clock(part.at, now=now)}"
    if part.at is not None:
        return f"has not reported for {duration((now - part.at).total_seconds())}, since {clock(part.at, now=now)}"
    newest = f"its newest data is of {clock(newest_at, now=now)}" if newest_at else "it has never reported"
    return f"is not running, {newest}"


def _intake(found: Troubles, *, now: datetime) -> Iterable[Attention]:
    gaps, undecodable = found.gaps, found.undecodable
    if gaps.first_at:
        yield Attention(
            "gaps",
            "degraded",
            "Intake",
            f"found {gaps.n:,} gap{'s' if gaps.n != 1 else ''} in the last 24 h, since {clock(gaps.first_at, now=now)}:"
            " Kafka had deleted what was not read yet",
            reverse("health"),
        )
    if undecodable.first_at:
        yield Attention(
            "undecodable",
            "degraded",
            "Intake",
            f"could not decode {undecodable.n:,} record{'s' if undecodable.n != 1 else ''} in the last 1 h,"
            f" since {clock(undecodable.first_at, now=now)}",
            reverse("health"),
        )


def clock(at: datetime, *, now: datetime) -> str:
    """14:02 UTC; with its day where it is not of the last 24 hours."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M} UTC" if (now - at).total_seconds() < 86_400 else f"{at.day} {at:%b %H:%M} UTC"
