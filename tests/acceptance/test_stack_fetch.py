"""Fetching pinned artifacts from a repository that may be down, slow or hostile."""

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stack.artifacts import Artifact, fetch
from stack.problems import ArtifactRefused

RIGHT = {"one": b"the first", "two": b"the second" * 1000}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A Maven repository on the loopback: (its folder, its address)."""
    folder = tmp_path / "repository"
    for name, content in RIGHT.items():
        place = folder / "org" / "example" / name / "1"
        place.mkdir(parents=True)
        (place / f"{name}-1.jar").write_bytes(content)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def artifacts() -> list[Artifact]:
    return [Artifact(f"org.example:{name}:1", hashlib.sha256(c).hexdigest(), len(c)) for name, c in RIGHT.items()]


def test_s67_what_is_missing_or_damaged_is_fetched_and_nothing_else(repository: tuple[Path, str], cache: Path) -> None:
    folder, address = repository
    said: list[str] = []
    (cache / "one-1.jar").write_bytes(b"damaged")
    (cache / "gone-1.jar.part").write_bytes(b"left by an interrupted run")
    fetch(artifacts(), cache, say=said.append, repository=address)
    assert {path.name: path.read_bytes() for path in cache.iterdir()} == {
        f"{name}-1.jar": content for name, content in RIGHT.items()
    }
    (folder / "org/example/one/1/one-1.jar").unlink()
    fetch(artifacts(), cache, say=said.append, repository=address)
    assert len(said) == 1


def test_s67_other_bytes_than_the_lock_names_are_refused_and_thrown_away(
    repository: tuple[Path, str], cache: Path
) -> None:
    folder, address = repository
    (folder / "org/example/two/1/two-1.jar").write_bytes(b"a poisoned jar")
    with pytest.raises(ArtifactRefused, match=r"org\.example:two:1"):
        fetch(artifacts(), cache, say=lambda _: None, repository=address)
    assert not [path for path in cache.iterdir() if path.name.startswith("two")]


def test_a_repository_that_lacks_a_file_is_named_with_the_way_out(repository: tuple[Path, str], cache: Path) -> None:
    missing = Artifact("org.example:three:1", "0" * 64, 1)
    with pytest.raises(ArtifactRefused, match=r"org\.example:three:1.*WEIR_MAVEN_URL"):
        fetch([missing], cache, say=lambda _: None, repository=repository[1])
