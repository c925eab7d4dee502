"""What is taken out of a WebJar, and what never is."""

import zipfile
from pathlib import Path

import pytest

from stack.page_libraries import LARGEST_BYTES, MEMBERS, extracted, place
from stack.problems import ArtifactRefused


def jar_with(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


WANTED = {member: name.encode() for member, name in MEMBERS.items()}


def test_s67_only_the_fixed_members_are_taken(tmp_path: Path) -> None:
    hostile = {"../../escaped.js": b"x", "/etc/escaped.js": b"x", "META-INF/other.js": b"x"}
    place(jar_with(tmp_path / "lib.jar", {**WANTED, **hostile}), tmp_path / "static")
    found = {str(path.relative_to(tmp_path / "static")) for path in (tmp_path / "static").rglob("*") if path.is_file()}
    assert found == set(MEMBERS.values())
    assert not (tmp_path / "escaped.js").exists()


def test_s67_a_jar_without_one_of_them_is_refused(tmp_path: Path) -> None:
    jar = jar_with(tmp_path / "lib.jar", dict(list(WANTED.items())[:1]))
    with pytest.raises(ArtifactRefused, match=r"uPlot\.min\.css"):
        extracted(jar)


def test_s67_a_member_that_would_unpack_to_something_huge_is_refused(tmp_path: Path) -> None:
    huge = {member: b"\0" * (LARGEST_BYTES + 1) for member in WANTED}
    with pytest.raises(ArtifactRefused, match="too large"):
        extracted(jar_with(tmp_path / "lib.jar", huge))


def test_a_changed_copy_and_a_planted_link_are_put_right(tmp_path: Path) -> None:
    jar, static = jar_with(tmp_path / "lib.jar", WANTED), tmp_path / "static"
    place(jar, static)
    script, style = (static / name for name in MEMBERS.values())
    script.write_bytes(b"changed")
    target = tmp_path / "elsewhere"
    target.write_bytes(b"kept")
    style.unlink()
    style.symlink_to(target)
    place(jar, static)
    assert [script.read_bytes(), style.read_bytes()] == list(WANTED.values())
    assert target.read_bytes() == b"kept"
    assert not style.is_symlink()
