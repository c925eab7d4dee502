"""The echo of the parts' logs."""

from pathlib import Path

import pytest

from stack.logs import LONGEST_LINE, Follower, escaped, opened_log, prefixed


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain – ≈ text\twith a tab", "plain – ≈ text\twith a tab"),
        ("\x1b[2Jcleared", "\\x1b[2Jcleared"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x9b31m", "\\x9b31m"),
        ("\x00\x7f\x85", "\\x00\\x7f\\x85"),
        ("\u202etxt.exe", "\\u202etxt.exe"),
        ("two\u2028lines", "two\\u2028lines"),
    ],
)
def test_s8_control_characters_are_written_out(raw: str, shown: str) -> None:
    assert escaped(raw) == shown


def test_a_line_is_shown_when_it_is_complete_and_only_once(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    follower = Follower(log)
    assert [*follower.lines()] == []
    log.write_bytes(b"first\nsec")
    assert [*follower.lines()] == ["first"]
    with log.open("ab") as file:
        file.write(b"ond\r\n\xff\n")
    assert [*follower.lines()] == ["second", "\ufffd"]
    assert [*follower.lines()] == []


def test_a_log_that_was_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_bytes(b"long enough line\n")
    follower = Follower(log)
    assert [*follower.lines()] == ["long enough line"]
    log.write_bytes(b"new\n")
    assert [*follower.lines()] == ["new"]


def test_an_endless_line_is_cut_and_says_so(tmp_path: Path) -> None:
    log = tmp_path / "part.log"
    log.write_bytes(b"x" * (LONGEST_LINE * 3))
    (line,) = Follower(log).lines()
    assert line == "x" * LONGEST_LINE + " … cut"


def test_the_prefix_is_padded_and_coloured_only_where_asked() -> None:
    assert prefixed("web", "up", width=6, colour=None) == "web    │ up"
    assert prefixed("web", "up", width=6, colour=36) == "\x1b[36mweb    │\x1b[0m up"


def test_s66_a_link_planted_for_a_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("kept")
    (tmp_path / "part.log").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="symbolic"):
        opened_log(tmp_path / "part.log")
