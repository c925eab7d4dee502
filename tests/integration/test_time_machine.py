"""The time machine: a moment of the past, a replay through moments, and two of them compared."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from collector import clock
from collector.domain import histograms
from dashboard import past
from dashboard.difference_words import words
from dashboard.queries.body_changes import changes
from dashboard.queries.comparing import Compared, Overlapping, SameSteps, compared, marks, versus
from dashboard.queries.graph import facts, graph
from dashboard.queries.replay import as_plain, frames, step_of
from dashboard.queries.timeline import earliest, timeline
from dashboard.queries.window import Window
from tests.integration.graph_world import World
from tests.integration.people import bearer, person, signed_in, token_of
from tests.integration.time_world import FAST, SLOW, TwoMoments

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 23, 14, 0, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTES_15 = timedelta(minutes=15)


def ending(at: datetime, length: timedelta = MINUTES_15) -> Window:
    """A window of the past."""
    return Window(at - length, at, live=False)


def deploy(now: datetime = AT) -> Compared:
    """The shop after the deploy beside the shop an hour before."""
    window = ending(now)
    return compared(facts(window, now=now), versus(now - HOUR, window, now=now), now=now)


def test_compare_finds_exactly_what_was_changed() -> None:
    TwoMoments(AT)
    found = deploy().found
    assert [(each.what, each.measure, each.about) for each in found.found] == [
        ("new", "flow", "service:billing-svc>topic:demo/fraud.check"),
        ("new", "flow", "service:fraud-svc"),
        ("gone", "flow", "service:legacy-mailer"),
        ("changed", "version", "service:billing-svc"),
        ("changed", "processing", "topic:demo/orders.created>service:billing-svc"),
    ]
    slower = found.found[-1]
    assert slower.before == pytest.approx(FAST / 1000, rel=histograms.WORST_ERROR)
    assert slower.after == pytest.approx(SLOW / 1000, rel=histograms.WORST_ERROR)
    assert found.untold == ()


@pytest.mark.parametrize(
    ("age", "table", "step", "length", "shift"),
    [
        (timedelta(minutes=30), "edge_10s", 10, timedelta(seconds=30), timedelta(seconds=5)),
        (timedelta(days=3), "edge_1m", 60, timedelta(minutes=2), timedelta(seconds=30)),
        (timedelta(days=20), "edge_1h", 3600, timedelta(minutes=15), timedelta(minutes=50)),
    ],
)
def test_windows_that_cut_through_steps_are_compared_by_the_time_that_was_counted(
    age: timedelta, table: str, step: int, length: timedelta, shift: timedelta
) -> None:
    world = World(AT)
    sends = world.edge(1, world.service("orders-svc"), world.topic("orders.created"))
    for number in range(40):
        world.counted(sends, 10 * step, ago=age.total_seconds() + step * (number - 10), table=table)
    end = AT - age
    for ends in ((end, end - 4 * length), (end + shift, end - 4 * length), (end, end - 4 * length - shift)):
        window = ending(ends[0], length)
        found = compared(facts(window, now=AT), versus(ends[1], window, now=AT), now=AT).found
        assert found.is_known, ends
        assert (found.found, found.untold) == ((), ()), ends


def test_compare_the_other_way_round_finds_the_opposite() -> None:
    TwoMoments(AT)
    window = ending(AT - HOUR)
    found = compared(facts(window, now=AT), versus(AT, window, now=AT), now=AT).found
    assert [(each.what, each.about) for each in found.found if each.measure == "flow"] == [
        ("new", "service:legacy-mailer"),
        ("gone", "service:billing-svc>topic:demo/fraud.check"),
        ("gone", "service:fraud-svc"),
    ]


def test_an_untouched_shop_has_no_differences() -> None:
    world = TwoMoments(AT)
    window = ending(AT)
    with connection.cursor() as cursor:
        cursor.execute("delete from service_version where version = '2.8.0'")
        cursor.execute("delete from edge_1m")
    for edge in (world.asks, world.checks):
        world.flow((edge,), ended=3_600)
    world.flow((world.old,), ended=0)
    found = compared(facts(window, now=AT), versus(AT - HOUR, window, now=AT), now=AT)
    assert (found.found.found, found.found.untold) == ((), ())
    assert words(found, now=AT).heading.startswith("No differences between 12:45–13:00 UTC and ")


def test_every_difference_is_a_sentence_with_both_numbers_their_unit_and_their_windows() -> None:
    TwoMoments(AT)
    told = words(deploy(), now=AT)
    assert told.heading == (
        "5 differences between 12:45–13:00 UTC and 13:45–14:00 UTC on 23 Nov, 15 min each: 2 new, 1 gone, 2 changed."
    )
    after, before = "13:45–14:00 UTC", "12:45–13:00 UTC"
    assert [f"{each.glyph} {each.title} {each.sentence}" for each in told.told] == [
        f"+ billing-svc → fraud.check is new: 1.0/s in {after}, nothing in {before}",
        f"+ fraud-svc is new: 1.0/s in {after}, nothing in {before}",
        f"− legacy-mailer is gone: nothing in {after}, 1.0/s in {before}",
        f"Δ billing-svc runs 2.8.0 at the end of {after}, 2.7.3 at the end of {before}",
        f"Δ orders.created → billing-svc processing p95 slower ×8.1: 1.2 s in {after}, 140 ms in {before}",
    ]


def test_of_windows_of_two_minutes_no_p95_is_told() -> None:
    TwoMoments(AT)
    window = ending(AT, timedelta(minutes=2))
    found = compared(facts(window, now=AT), versus(AT - HOUR, window, now=AT), now=AT)
    assert "processing" not in {each.measure for each in found.found.found}
    assert [each.sentence for each in words(found, now=AT).unsure] == [
        "too short to tell processing p95 from its own up and down: 2 full minutes in 13:58–14:00 UTC,"
        " 2 in 12:58–13:00 UTC; 3 are needed in each"
    ]


def test_the_union_holds_who_is_gone_and_marks_what_differs() -> None:
    TwoMoments(AT)
    found = deploy()
    ghost = next(node for node in found.union.nodes if node.id == "service:legacy-mailer")
    assert (ghost.rate_in, ghost.health, ghost.sentence) == (0.0, "idle", "nothing in or out in the later window")
    assert {identity: what for identity, (what, _) in marks(found.found, found.union).items()} == {
        "service:billing-svc>topic:demo/fraud.check": "new",
        "topic:demo/fraud.check": "new",
        "topic:demo/fraud.check>service:fraud-svc": "new",
        "service:fraud-svc": "new",
        "service:legacy-mailer": "gone",
        "topic:demo/payments.captured>service:legacy-mailer": "gone",
        "service:billing-svc": "changed",
        "topic:demo/orders.created>service:billing-svc": "changed",
    }


def test_a_topic_that_is_gone_is_drawn_though_its_last_minute_was_quiet_then_too() -> None:
    world = TwoMoments(AT)
    notices = world.topic("partner.notices")
    for ago, high in ((4_600, 0), (4_000, 300), (3_600, 300), (900, 300), (0, 300)):
        world.watermarks(notices, [high, 0], ago=ago)
    found = deploy()
    assert ("gone", "topic:demo/partner.notices") in {(each.what, each.about) for each in found.found.found}
    assert marks(found.found, found.union)["topic:demo/partner.notices"][0] == "gone"
    assert "topic:demo/partner.notices" in {node.id for node in found.union.nodes}


def test_while_the_collector_was_down_is_unknown_and_nothing_is_gone() -> None:
    TwoMoments(AT)
    with connection.cursor() as cursor:
        for table in ("edge_10s", "edge_1m"):
            cursor.execute(f"delete from {table} where bucket_at >= %s", [AT - timedelta(minutes=10)])
        cursor.execute("delete from scan where sampled_at >= %s", [AT - timedelta(minutes=10)])
    seen = timeline(ending(AT), now=AT)
    assert seen.gaps == ((AT - timedelta(seconds=590), AT),), "the last scan counts for five seconds"
    assert seen.seen_seconds == 310
    assert [beat.rate for beat in seen.beats[:3]] == [6.0, 6.0, 6.0]
    found = deploy().found
    assert "service:legacy-mailer" not in {each.about for each in found.found if each.what == "gone"}
    assert ("topic:demo/payments.captured>service:legacy-mailer", "unseen") in {
        (each.about.id, each.why) for each in found.untold
    }
    with connection.cursor() as cursor:
        cursor.execute("delete from edge_10s where bucket_at >= %s", [AT - MINUTES_15])
        cursor.execute("delete from edge_1m where bucket_at >= %s", [AT - MINUTES_15])
        cursor.execute("delete from scan where sampled_at >= %s", [AT - timedelta(minutes=16)])
    nothing = deploy()
    assert (nothing.found.is_known, nothing.found.found) == (False, ())
    assert words(nothing, now=AT).heading.startswith("Nothing can be told between")


def test_while_no_span_came_in_though_events_flowed_no_service_is_gone() -> None:
    world = TwoMoments(AT)
    for ago, high in ((1_000, 0), (0, 900)):
        world.watermarks(world.names["orders.created"], [high, 0], ago=ago)
    with connection.cursor() as cursor:
        for table in ("edge_10s", "edge_1m"):
            cursor.execute(f"delete from {table} where bucket_at >= %s", [AT - MINUTES_15])
    found = deploy().found
    assert [each.measure for each in found.found] == ["version"]
    assert {each.why for each in found.untold} == {"unseen"}
    assert len(found.untold) == 5


def test_two_windows_that_overlap_are_refused() -> None:
    for vs in (AT - timedelta(minutes=5), AT + timedelta(minutes=5)):
        with pytest.raises(Overlapping):
            versus(vs, ending(AT), now=AT)
    assert versus(AT - MINUTES_15, ending(AT), now=AT).to_at == AT - MINUTES_15
    assert versus(AT + MINUTES_15, ending(AT), now=AT).from_at == AT


def test_two_windows_that_are_counted_in_the_same_steps_are_refused() -> None:
    window = ending(AT - timedelta(days=20))
    with pytest.raises(SameSteps):
        versus(window.from_at, window, now=AT)
    assert versus(AT - timedelta(days=20, hours=2), window, now=AT).seconds == window.seconds
    tens = ending(AT - timedelta(seconds=3))
    assert versus(tens.from_at, tens, now=AT).to_at == tens.from_at, "one step of ten seconds is no harm"


def test_a_frame_of_a_replay_is_the_graph_of_its_moment(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    TwoMoments(AT)
    first = ending(AT - HOUR - timedelta(minutes=1))
    step = step_of(first, now=AT)
    assert step == timedelta(seconds=10)
    with django_assert_max_num_queries(9 + 4 * 9):
        found = list(frames(first, step, 9, now=AT))
    assert [frame.graph.window.to_at for frame in found] == [first.to_at + step * number for number in range(9)]
    for frame in found:
        alone = graph(frame.graph.window, now=AT)
        assert [(each.id, each.rate_in, each.health) for each in frame.graph.nodes] == [
            (each.id, each.rate_in, each.health) for each in alone.nodes
        ]
        assert [(each.id, each.messages, each.rate) for each in frame.graph.edges] == [
            (each.id, each.messages, each.rate) for each in alone.edges
        ]
        assert frame.is_seen


def test_frames_end_at_now_and_when_their_request_cost_enough() -> None:
    TwoMoments(AT)
    step = timedelta(seconds=10)
    assert len(list(frames(ending(AT - step), step, 30, now=AT))) == 2
    assert len(list(frames(ending(AT - HOUR), step, 500, now=AT, clock=lambda: 0.0))) == 30
    ticks = iter(float(number) * 0.3 for number in range(100))
    assert len(list(frames(ending(AT - HOUR), step, 30, now=AT, clock=lambda: next(ticks)))) == 4
    assert list(frames(ending(AT + HOUR), step, 3, now=AT)) == []


def test_frames_are_told_as_what_changed_and_say_when_nobody_looked() -> None:
    TwoMoments(AT)
    step = timedelta(seconds=10)
    told = as_plain(list(frames(ending(AT - HOUR), step, 20, now=AT)), step)
    rows = told["frames"]
    assert rows[0]["nodes"]["service:orders-svc"]["rate_out"] == 1.0
    assert rows[1].keys() <= {"from", "to", "is_seen", "n_idle", "nodes", "edges"}
    assert changes({}, {"nodes": {}}) == {}
    assert [row["is_seen"] for row in rows][:3] == [True, True, True]
    assert rows[-1]["is_seen"] is False, "three minutes later nobody looked"
    assert told["next"] == "2026-11-23T13:03:20.000Z"


def test_how_finely_a_moment_is_read_goes_by_its_age() -> None:
    for age, words_of, step in (
        (timedelta(hours=2), "10-second resolution, kept 1 d", 10),
        (timedelta(days=3), "1-minute resolution, kept 14 d, counted 20 Nov 13:45–14:00 UTC", 60),
        (
            timedelta(days=40),
            "1-hour resolution, kept 400 d, counted 14 Oct 13:00–14:00 UTC; rates are not known",
            3600,
        ),
    ):
        window = ending(AT - age)
        assert past.reading(window, now=AT) == words_of
        assert past.past(window, now=AT).track.step_seconds == step
        assert step_of(window, now=AT).total_seconds() == step


def test_before_the_kept_history_the_page_says_so_and_leads_to_its_beginning() -> None:
    assert earliest() is None
    assert past.past(ending(AT), now=AT).missing == "Weir keeps nothing yet."
    TwoMoments(AT)
    assert past.past(ending(AT), now=AT).missing == ""
    early = past.past(ending(AT - timedelta(days=2)), now=AT)
    assert early.missing.startswith("This is before what Weir keeps: its history begins on 23 Nov 2026 12:4")
    assert early.begins[0].startswith("2026-11-23T12:4")


def test_the_track_holds_the_moment_its_gaps_and_its_changes() -> None:
    TwoMoments(AT)
    track = past.past(ending(AT - HOUR), now=AT).track
    assert track.from_text.startswith("2026-11-23T12:4")
    assert track.to_text == "2026-11-23T14:00:00Z"
    step = timedelta(seconds=track.step_seconds)
    assert datetime.fromisoformat(track.from_text) + step * track.position == AT - HOUR
    assert len(track.unseen) == 1
    assert [each.mark.sentence for each in track.changes] == ["billing-svc 2.8.0 seen first (was 2.7.3)"]
    assert (track.changes[0].vs_text, track.changes[0].from_text) == ("2026-11-23T13:40:00Z", "2026-11-23T13:40:00Z")


def test_only_as_much_is_asked_of_the_database_as_is_said(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    TwoMoments(AT)
    with django_assert_max_num_queries(6):
        past.past(ending(AT), now=AT)
    known = facts(ending(AT), now=AT)
    with django_assert_max_num_queries(11 + 9):
        compared(known, versus(AT - HOUR, ending(AT), now=AT), now=AT)


@pytest.fixture
def client() -> Client:
    """A viewer with the shop before and after the deploy."""
    TwoMoments(clock.now().replace(microsecond=0))
    return signed_in(person("vera", "viewer"))


def test_what_is_past_or_compared_stands_still_in_the_address(client: Client) -> None:
    for query in ("from=now-75m&to=now-60m", "vs=now-1h", "vs=now-1h&sel=topic%3Ademo%2Forders.created"):
        answer = client.get(f"/?{query}")
        assert answer.status_code == 302
        assert "now" not in answer["Location"]
        assert ("sel=" in query) == ("sel=" in answer["Location"])
        assert client.get(answer["Location"]).status_code == 200
    assert client.get("/?from=now-5m").status_code == 200


def test_a_page_of_the_past_is_never_mistaken_for_live(client: Client) -> None:
    page = client.get("/?from=now-75m&to=now-60m", follow=True).content.decode()
    for text in ("You look at the past", "10-second resolution, kept 1 d", 'id="back-to-live"', 'aria-label="Replay"'):
        assert text in page
    assert "data-streams" not in page
    assert "You look at the past" not in client.get("/").content.decode()


def test_a_compared_page_lists_the_differences_twice_and_marks_the_graph(client: Client) -> None:
    address = client.get("/?vs=now-1h")["Location"]
    page = client.get(address).content.decode()
    assert "5 differences between" in page
    assert page.count("data-difference=") == 5
    data = client.get(address, headers={"X-Weir-Part": "graph"}).json()
    told = {row["id"]: (row["diff"], row["said"]) for row in (*data["nodes"], *data["edges"]) if "diff" in row}
    assert told["service:legacy-mailer"] == ("gone", "gone")
    assert told["topic:demo/orders.created>service:billing-svc"] == ("changed", "processing ×8.1")
    assert "attention" not in data
    panel = client.get(f"{address}&sel=service:billing-svc", headers={"X-Weir-Part": "panel"}).content.decode()
    assert "Then and now" in panel
    assert "2.7.3" in panel
    assert "Back to live" in page
    assert 'href="/?vs' not in page.split('id="back-to-live"')[1].split(">")[0]


def test_nobody_moves_when_two_moments_are_laid_on_one_another(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into layout_node (node, layer, x, y) values ('service:orders-svc', 0, 0, 0),"
            " ('topic:demo/orders.created', 1, 250, 0), ('service:billing-svc', 2, 500, 0),"
            " ('topic:demo/payments.captured', 3, 750, 0), ('service:mailer', 4, 1000, 0)"
        )

    def places(query: str) -> dict[str, list[float]]:
        data = client.get(f"/?{query}", headers={"X-Weir-Part": "graph"}, follow=True).json()
        found: dict[str, list[float]] = data["view"]["places"]
        return found

    both = places("vs=now-1h")
    assert set(both) >= {"service:legacy-mailer", "service:fraud-svc", "topic:demo/fraud.check"}
    assert len({tuple(spot) for spot in both.values()}) == len(both)
    for alone in (places("from=now-75m&to=now-60m"), places("from=now-16m&to=now-1m")):
        known = {name for name in alone if name not in {"service:legacy-mailer", "service:fraud-svc"}}
        assert {name: both[name] for name in known} == {name: alone[name] for name in known}


def test_of_services_that_touch_no_chosen_cluster_no_version_is_told() -> None:
    TwoMoments(AT)
    with connection.cursor() as cursor:
        cursor.execute("insert into cluster (name) values ('west')")
    window, west = ending(AT), ["west"]
    then = versus(AT - HOUR, window, now=AT)
    assert compared(facts(window, now=AT, clusters=west), then, now=AT, clusters=west).found.found == ()
    demo = compared(facts(window, now=AT, clusters=["demo"]), then, now=AT, clusters=["demo"]).found.found
    assert demo == deploy().found.found


def test_wrong_moments_are_answered_with_a_sentence(client: Client) -> None:
    for query in ("vs=yesterday", "vs=now-5m", "vs=1999-01-01T00:00:00Z", "from=now-1h&to=now-2h"):
        answer = client.get(f"/?{query}")
        assert answer.status_code == 400, query
    for query in ("n=0", "n=31", "n=x", f"n=0001{'9' * 4_300}", "from=x"):
        assert client.get(f"/replay/frames/?from=now-75m&to=now-60m&{query}").status_code == 400, query


def test_the_frames_of_the_page_and_of_the_api_are_the_same(client: Client) -> None:
    at = clock.now().replace(microsecond=0) - HOUR
    query = f"from={past.text(at - MINUTES_15)}&to={past.text(at)}&n=3"
    page = client.get(f"/replay/frames/?{query}").json()
    assert len(page["frames"]) == 3
    token = bearer(token_of(person("anna", "viewer"), "read"))
    assert Client().get(f"/api/v1/graph/frames?{query}", headers=token).json() == page


def test_the_api_compares_and_tells_the_timeline(client: Client) -> None:
    token = bearer(token_of(person("anna", "viewer"), "read"))
    told = Client().get("/api/v1/graph/comparison?vs=now-1h", headers=token).json()
    assert [(each["what"], each["title"]) for each in told["differences"]][:2] == [
        ("new", "billing-svc → fraud.check"),
        ("new", "fraud-svc"),
    ]
    assert told["is_known"] is True
    assert Client().get("/api/v1/graph/comparison", headers=token).status_code == 400
    assert Client().get("/api/v1/graph/comparison?vs=now-5m", headers=token).status_code == 400
    line = Client().get("/api/v1/graph/timeline?from=now-75m&to=now-60m", headers=token).json()
    assert line["resolution"] == "10-second resolution, kept 1 d"
    assert (line["step_seconds"], line["gaps"]) == (10, [])
    assert {beat["rate"] for beat in line["beats"][5:-30]} == {5.0}  # five minutes: the shop may have been made before
