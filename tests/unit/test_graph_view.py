"""The graph as it is drawn: groups folded and opened, 300 nodes at most, and what the address asks for."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.http import QueryDict

from benchmarks.load.graphs import wiring
from collector.domain.identities import service_id, topic_id
from dashboard.layout import place
from dashboard.queries.asked import asked, switches, toggled
from dashboard.queries.freshness import Freshness
from dashboard.queries.graph import Edge, Graph, Node
from dashboard.queries.grouping import arrows, boxes, groups
from dashboard.queries.seats import seated
from dashboard.queries.view import MOST_DRAWN, Asked, View, view
from dashboard.queries.window import parse

AT = datetime(2026, 11, 23, 14, 0, 7, tzinfo=UTC)


def graph(n: int, *, placed: bool = True) -> Graph:
    """A generated graph as the read side answers it; node number `k` carries k messages per second."""
    wired = wiring(n)
    services = {party.name for party in wired.services}

    def identity(name: str) -> str:
        return service_id("", name) if name in services else topic_id("demo", name)

    places = place.whole(
        [identity(name) for name in wired.nodes], [(identity(a), identity(b)) for a, b in wired.arrows]
    )
    nodes = []
    for number, name in enumerate(wired.nodes):
        spot = places[identity(name)] if placed else None
        kind = "service" if name in services else "topic"
        role = "dead_letter" if name in wired.dead_letters else "business"
        nodes.append(Node(
            identity(name), kind, name, "" if kind == "service" else "demo", role, "ok", "", float(number), None, 0,
            None, None, guessed=False, x=spot.x if spot else None, y=spot.y if spot else None,
        ))  # fmt: skip
    edges = [
        Edge(
            f"{identity(a)}>{identity(b)}", identity(a), identity(b), "produce" if a in services else "consume", None,
            None, ("traced",), 10, "spans", 0, 1.0, None, None, None, None, "ok", "",
        )
        for a, b in wired.arrows
    ]  # fmt: skip
    fresh = Freshness(AT, AT, fold_delayed=False, scan_delayed=False, seq=1)
    return Graph(AT, parse(None, None, now=AT), 60, AT, tuple(nodes), tuple(edges), 0, fresh)


def seen(drawn: Graph, *, by: str | None = None, open_: tuple[str, ...] = (), is_part: bool = False) -> View:
    """Of the whole graph."""
    return view(drawn, left_out=(), asked=Asked(by, open_), is_part=is_part)


def test_up_to_150_nodes_every_node_is_drawn_where_it_stands() -> None:
    drawn = graph(150)
    found = seen(drawn)
    assert (found.by, found.closed, found.of, found.cut) == ("none", (), {}, frozenset())
    assert found.places == {node.id: (node.x, node.y) for node in drawn.nodes}


def test_above_150_nodes_all_domains_start_closed() -> None:
    drawn = graph(180)
    found = seen(drawn)
    assert found.by == "domain"
    assert sum(len(box.members) for box in found.closed) == 180
    assert set(found.places) == {box.id for box in found.closed}
    assert set(found.of.values()) == {box.id for box in found.closed}


def test_an_open_group_frames_its_members_and_the_others_stay_closed() -> None:
    drawn = graph(180)
    closed = seen(drawn)
    box = closed.closed[3]
    found = seen(drawn, open_=(box.id,))
    assert [each.id for each in found.open] == [box.id]
    assert set(found.places) == {*box.members, *(each.id for each in closed.closed if each.id != box.id)}
    frame = found.frames[box.id]
    for member in box.members:
        x, y = found.places[member]
        assert frame.x < x < frame.x + frame.width
        assert frame.y < y < frame.y + frame.height


def test_at_most_300_are_drawn_those_with_most_traffic() -> None:
    drawn = graph(400)
    found = seen(drawn, by="none")
    assert len(found.places) == MOST_DRAWN
    assert found.n_matching == 400
    least = sorted(drawn.nodes, key=lambda node: node.rate_in or 0)[:100]
    assert found.cut == {node.id for node in least}


def test_at_most_300_closed_groups_are_drawn_too() -> None:
    """A topic without a dot that nobody reads is a domain of its own."""
    plain = graph(60).nodes[0]
    names = [f"topic{number}" for number in range(700)]
    nodes = tuple(
        replace(plain, id=topic_id("demo", name), kind="topic", name=name, rate_in=float(number), x=None, y=None)
        for number, name in enumerate(names)
    )
    drawn = replace(graph(60), nodes=nodes, edges=())
    found = seen(drawn)
    assert [box.name for box in found.closed] == sorted(names[-MOST_DRAWN:])
    assert found.cut == {node.id for node in nodes[:400]}
    assert set(found.places) == set(found.of.values()) == {box.id for box in found.closed}
    opened = seen(drawn, open_=("domain:topic0",))
    assert opened.cut >= {node.id for node in nodes[:400]}
    assert len(opened.closed) == MOST_DRAWN


def test_of_thousands_without_a_place_in_the_past_the_busiest_get_one() -> None:
    """Each looks at all who stand: to seat 5,000 took seconds of the server's time for one look."""
    plain = graph(60).nodes[0]
    nodes = tuple(
        replace(plain, id=topic_id("demo", f"t{number}"), kind="topic", rate_in=float(number), x=None, y=None)
        for number in range(5_000)
    )
    found = seated(replace(graph(60), nodes=nodes, edges=()), {})
    assert {node.id for node in found.nodes if node.x is not None} == {node.id for node in nodes[-MOST_DRAWN:]}
    assert len({(node.x, node.y) for node in found.nodes if node.x is not None}) == MOST_DRAWN


def test_a_part_of_the_graph_closes_up() -> None:
    drawn = graph(100)
    kept = {node.id for node in drawn.nodes[:10]}
    left_out = {node.id for node in drawn.nodes} - kept
    found = view(drawn, left_out=left_out, asked=Asked(), is_part=True)
    assert set(found.places) == kept
    assert min(y for _, y in found.places.values()) == 0
    assert len({x for x, _ in found.places.values()}) * 250 > max(x for x, _ in found.places.values())


def test_a_node_without_a_place_is_left_to_the_page() -> None:
    assert seen(graph(40, placed=False)).places == {}


def test_the_domain_is_declared_else_the_namespace_else_the_topics_prefix() -> None:
    drawn = graph(60)
    names = groups(drawn, "domain")
    for node in drawn.nodes:
        if node.kind == "topic":
            assert names[node.id] == node.name.partition(".")[0]
    service = next(node for node in drawn.nodes if node.kind == "service")
    declared = replace(drawn, nodes=tuple(replace(n, domain="shop") if n == service else n for n in drawn.nodes))
    assert groups(declared, "domain")[service.id] == "shop"
    spaced = replace(service, id=service_id("retail", service.name))
    only = replace(drawn, nodes=(spaced,), edges=())
    assert groups(only, "domain") == {spaced.id: "retail"}
    assert groups(replace(drawn, edges=()), "team") == {node.id: "other" for node in drawn.nodes}


def test_services_are_of_the_cluster_that_they_use() -> None:
    drawn = graph(60)
    used = {edge.source for edge in drawn.edges} | {edge.target for edge in drawn.edges}
    names = groups(drawn, "cluster")
    assert {names[node.id] for node in drawn.nodes if node.id in used} == {"demo"}


def test_edges_between_groups_are_counted_once_and_those_inside_not_at_all() -> None:
    drawn = graph(180)
    of = {member: box.id for box in boxes(drawn, "domain") for member in box.members}
    found = arrows(drawn.edges, of)
    assert len(found) == len(set(found))
    assert set(found) == {(of[e.source], of[e.target]) for e in drawn.edges if of[e.source] != of[e.target]}


def test_the_address_says_what_is_asked() -> None:
    words = "find=lag>30s -mailer&hide=a or b&focus=service:x&hops=3&flow=up&by=team&open=team:a&open=team:b"
    found = asked(QueryDict(f"{words}&sel=service:x&sel=service:y&sel=service:z&label=lag&show=idle,-retry"))
    assert found.grouped == Asked("team", ("team:a", "team:b"))
    assert found.selected == ("service:x", "service:y")
    assert found.label == "lag"
    assert (found.shown.idle, found.shown.retry, found.shown.dead_letters, found.shown.internal) == (
        True, False, True, False,
    )  # fmt: skip
    assert found.focus is not None
    assert (found.focus.hops, found.focus.flow) == (3, "up")
    chips = dict(found.chips)
    assert [(chip.term, chip.rest) for chip in chips["find"]] == [("lag>30s", "-mailer"), ("-mailer", "lag>30s")]
    assert [(chip.term, chip.rest) for chip in chips["hide"]] == [("a", "b"), ("b", "a")]


def test_what_makes_no_sense_is_as_usual() -> None:
    found = asked(QueryDict("hops=9&flow=sideways&by=colour&label=size&hide=lag>30&focus=x"))
    assert found.focus is not None
    assert (found.focus.hops, found.focus.flow, found.grouped.by, found.label) == (2, "both", None, "rate")
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    ("now", "turned", "after"),
    [("", "idle", "idle"), ("idle", "idle", None), ("", "retry", "-retry"), ("idle,-retry", "retry", "idle")],
)
def test_a_switch_turns_and_the_others_stay(now: str, turned: str, after: str | None) -> None:
    shown = asked(QueryDict(f"show={now}")).shown
    assert toggled(shown, turned) == after
    assert dict(switches(shown))[turned] is not dict(switches(asked(QueryDict(f"show={after or ''}")).shown))[turned]
