"""The shop's state, how commands change it, and what is kept across restarts."""

import json
from pathlib import Path

import pytest

from demo import control, states
from demo.consuming import Hours
from demo.parts import NoSuchPart, part_named
from demo.records import Position
from demo.running import version_of
from demo.settings import NotSet, from_environment
from demo.settling import Settling
from demo.states import State, Watch
from demo.taking import RESERVED_AT_ONCE, Numbers

NEEDED = {"DEMO_KAFKA_BOOTSTRAP": "127.0.0.1:9092", "DEMO_STATE_DIR": "/somewhere"}


def test_billing_is_broken_until_somebody_mends_it() -> None:
    assert State().broken
    assert not State().mended().broken
    assert State().mended().broken_again() == State()


def test_a_deploy_is_slow_and_a_fix_after_it_is_another_version() -> None:
    deployed = State().overwhelmed()
    assert (deployed.slow, deployed.broken, deployed.billing_version) == (True, True, "2.8.0")
    assert deployed.mended() == State(broken=False, slow=False, billing_version="2.8.1")
    assert State().mended().billing_version == State().billing_version


def test_only_billings_version_depends_on_the_state() -> None:
    state = State().overwhelmed()
    assert version_of(part_named("billing-svc"), state) == "2.8.0"
    assert version_of(part_named("mailer"), state) == part_named("mailer").version


def test_a_deployed_service_runs_the_next_version() -> None:
    state = State().with_next("carrier-svc")
    assert (part_named("carrier-svc").version, version_of(part_named("carrier-svc"), state)) == ("3.0.2", "3.1.0")
    assert version_of(part_named("mailer"), state) == part_named("mailer").version


def test_the_catalogue_and_the_state_agree_on_the_first_version_of_billing() -> None:
    assert part_named("billing-svc").version == State().billing_version


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["break"], State()),
        (["fix"], State(broken=False)),
        (["deploy"], State(slow=True, billing_version="2.8.0")),
        (["deploy", "carrier-svc"], State(deployed=frozenset({"carrier-svc"}))),
        (["hold"], State(held=True)),
        (["release"], State()),
        (["stop", "mailer"], State(stopped=frozenset({"mailer"}))),
        (["start", "mailer"], State()),
        (["show"], State()),
    ],
)
def test_each_command_has_its_state(words: list[str], expected: State) -> None:
    assert control.after(words, state=State()) == expected


def test_a_stopped_service_can_be_started_again() -> None:
    stopped = control.after(["stop", "audit"], state=State())
    assert control.after(["start", "audit"], state=stopped) == State()


def test_wrong_commands_change_nothing() -> None:
    with pytest.raises(NoSuchPart):
        control.after(["stop", "nobody"], state=State())
    for words in ([], ["stop"], ["fix", "now"], ["mend"]):
        with pytest.raises(control.Misused):
            control.after(words, state=State())
    with pytest.raises(control.Misused):
        control.after(["deploy", "billing-svc"], state=State())


def test_the_state_survives_storing(tmp_path: Path) -> None:
    state = State(broken=False, slow=True, billing_version="2.8.0", stopped=frozenset({"audit", "mailer"}))
    state = state.with_next("carrier-svc")
    states.save(state, state_dir=tmp_path / "new")
    assert states.load(tmp_path / "new") == state
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["state.json"]


def test_a_state_that_an_older_shop_stored_is_read(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"broken": false, "stopped": ["audit"]}')
    assert states.load(tmp_path) == State(broken=False, stopped=frozenset({"audit"}))


def test_a_watch_looks_once_a_second_and_sees_a_change(tmp_path: Path) -> None:
    now = 100.0
    watch = Watch(tmp_path, monotonic=lambda: now)
    assert watch.state() == State()
    states.save(State(broken=False), state_dir=tmp_path)
    now = 100.9
    assert watch.state() == State()
    now = 101.0
    assert watch.state() == State(broken=False)
    states.path_in(tmp_path).unlink()
    now = 102.0
    assert watch.state() == State()


def test_order_numbers_go_on_after_an_orderly_stop_and_are_never_given_twice_after_a_kill(tmp_path: Path) -> None:
    numbers = Numbers(tmp_path)
    assert [numbers.next() for _ in range(3)] == [1, 2, 3]
    numbers.close()
    killed = Numbers(tmp_path)
    assert killed.next() == 4
    assert Numbers(tmp_path).next() == 4 + RESERVED_AT_ONCE


def test_an_offset_is_settled_when_its_results_and_all_before_it_are_delivered() -> None:
    settling = Settling()
    first, second, third = (Position("t", 0, offset) for offset in range(3))
    first_done = settling.handled(first, n_results=2)
    settling.handled(second, n_results=0)
    settling.handled(third, n_results=1)
    first_done()
    assert list(settling.settled()) == []
    first_done()
    assert list(settling.settled()) == [first, second]
    settling.forget()
    assert list(settling.settled()) == []


def test_a_service_in_waves_works_first_and_rests_then() -> None:
    hours = Hours(works_seconds=45, rests_seconds=15)
    assert [hours.resting(at) for at in (0, 44.9, 45, 59.9, 60, 104, 106)] == [
        False, False, True, True, False, False, True,
    ]  # fmt: skip


def test_settings_have_the_documented_defaults() -> None:
    settings = from_environment(NEEDED)
    assert (settings.orders_per_second, settings.seed, settings.ready_file) == (30.0, 1, None)


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(NotSet, match=name):
        from_environment({key: value for key, value in NEEDED.items() if key != name})


@pytest.mark.parametrize("rate", ["fast", "0", "-1", "inf", "nan"])
def test_a_rate_that_makes_no_sense_is_refused(rate: str) -> None:
    with pytest.raises(NotSet, match="RATE"):
        from_environment({**NEEDED, "RATE": rate})


def test_the_command_line_prints_the_new_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DEMO_STATE_DIR", str(tmp_path))
    assert control.main(["fix"]) == 0
    assert json.loads(capsys.readouterr().out)["broken"] is False
    assert control.main(["stop", "nobody"]) == 2
    assert "No service is called 'nobody'" in capsys.readouterr().err
    assert not states.load(tmp_path).stopped
