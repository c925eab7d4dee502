"""Folders and secret files: whose they are and who may read them."""

import stat
from pathlib import Path

import pytest

from stack.instance import held, holder, opened_folder
from stack.places import made_private, write_private
from stack.problems import AlreadyRunning, FolderRefused, NotRunning
from stack.secret_files import kept_secret


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_s66_a_folder_is_made_for_us_alone_and_tightened(tmp_path: Path) -> None:
    assert mode_of(made_private(tmp_path / "new")) == 0o700
    (tmp_path / "open").mkdir(mode=0o755)
    assert mode_of(made_private(tmp_path / "open")) == 0o700


def test_s66_a_planted_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(FolderRefused, match="not followed"):
        made_private(tmp_path / "link")


def test_s66_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(FolderRefused, match="other accounts"):
        made_private(tmp_path / "shared")


def test_s66_a_secret_is_made_once_with_256_bits_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    first = kept_secret(path)
    assert (len(first), mode_of(path)) == (43, 0o600)  # 32 bytes in base64
    assert kept_secret(path) == first


def test_s66_a_secret_that_others_could_read_or_that_is_a_link_is_refused(tmp_path: Path) -> None:
    open_file = tmp_path / "open"
    write_private(open_file, "known to all")
    open_file.chmod(0o644)
    (tmp_path / "link").symlink_to(tmp_path / "absent")
    (tmp_path / "link").with_name("absent").write_text("planted")
    for path in (open_file, tmp_path / "link"):
        with pytest.raises(FolderRefused):
            kept_secret(path)


def test_s66_a_link_planted_for_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weir.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(FolderRefused, match="not followed"), held(tmp_path):
        pass
    assert not (tmp_path / "victim").exists()


def test_a_folder_with_other_things_in_it_is_never_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FolderRefused, match="not empty"):
        opened_folder(tmp_path, name="demo")


def test_the_demos_folder_is_not_used_by_make_up(tmp_path: Path) -> None:
    data = opened_folder(tmp_path / "data", name="demo")
    with held(data):
        pass
    opened_folder(data, name="demo")
    with pytest.raises(FolderRefused, match="make demo"):
        opened_folder(data, name="up")


def test_a_second_start_in_one_folder_is_told_who_runs(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        holder(tmp_path)
    with held(tmp_path):
        pid = holder(tmp_path)
        with pytest.raises(AlreadyRunning, match=f"pid {pid}"), held(tmp_path):
            pass
    with pytest.raises(NotRunning):
        holder(tmp_path)
