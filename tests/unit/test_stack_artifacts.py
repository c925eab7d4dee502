"""The lock of pinned artifacts and the check of what lies in the cache."""

import hashlib
from pathlib import Path

import pytest

from stack.artifacts import LOCK_FILE, Artifact, is_intact, locked, trusted_certificates

SHA = "a" * 64


def test_a_lock_line_is_coordinate_sha256_and_size() -> None:
    assert locked(f"# comment\n\norg.example:thing:1.2.3 {SHA} 42\n") == (Artifact("org.example:thing:1.2.3", SHA, 42),)


@pytest.mark.parametrize(
    "line",
    [
        f"org.example:thing {SHA} 42",
        f"org.example:thing:1.0 {SHA}",
        f"org.example:thing:1.0 {SHA[:-1]} 42",
        f"org.example:thing:1.0 {SHA.upper()} 42",
        f"org.example:thing:1.0 {SHA} -1",
        f"org.example:thing:../../x {SHA} 42",
        f"org.example:thing:.. {SHA} 42",
        f"org.example:.hidden:1 {SHA} 42",
        f"org.example:thing:1.0 {SHA} 42 extra",
    ],
)
def test_a_line_that_is_something_else_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(ValueError, match="line 2"):
        locked(f"# first\n{line}\n")


def test_our_lock_names_kafka_its_log_binding_and_the_chart_library() -> None:
    names = {artifact.file_name for artifact in locked(LOCK_FILE.read_text(encoding="utf-8"))}
    assert {"kafka_2.13-4.3.1.jar", "slf4j-simple-1.7.36.jar", "uplot-1.6.30.jar"} <= names


def test_a_damaged_a_cut_and_a_missing_file_are_not_intact(tmp_path: Path) -> None:
    content = b"the right bytes"
    artifact = Artifact("org.example:thing:1", hashlib.sha256(content).hexdigest(), len(content))
    path = tmp_path / artifact.file_name
    assert not is_intact(path, artifact)
    path.write_bytes(content)
    assert is_intact(path, artifact)
    path.write_bytes(b"The right bytes")
    assert not is_intact(path, artifact)
    path.write_bytes(content[:-1])
    assert not is_intact(path, artifact)


def test_certificates_named_for_python_or_pip_go_before_the_systems(tmp_path: Path) -> None:
    own = tmp_path / "own.pem"
    own.write_text("a certificate")
    assert trusted_certificates({"SSL_CERT_FILE": "/not/there", "PIP_CERT": str(own)}) == str(own)
