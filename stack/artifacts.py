"""The pinned artifacts: which they are, whether ours are the right ones, and fetching what is missing."""

import concurrent.futures
import contextlib
import hashlib
import io
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.problems import ArtifactRefused

LOCK_FILE = Path(__file__).with_name("artifacts.lock")
MAVEN_CENTRAL = "https://repo.maven.apache.org/maven2"
PAUSES_SECONDS = (0.5, 1.0, 2.0)  # between four attempts
CONNECT_SECONDS = 10
READ_SECONDS = 30
PARALLEL = 8
SYSTEM_CERTIFICATES = (  # Debian and Ubuntu; Fedora and Red Hat; SUSE; macOS
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)

_COORDINATE = re.compile(r"[A-Za-z0-9._-]+:[A-Za-z0-9._-]+:[A-Za-z0-9._-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Artifact:
    """One line of the lock: Maven coordinate `group:name:version`, sha256 in hex, size in bytes."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """`name-version.jar`; the lock's pattern allows no separator in it."""
        _, name, version = self.coordinate.split(":")
        return f"{name}-{version}.jar"

    @property
    def is_page_library(self) -> bool:
        """True for what a browser gets; all others belong on Kafka's class path."""
        return self.coordinate.startswith("org.webjars")


def locked(text: str) -> tuple[Artifact, ...]:
    """The artifacts of a lock file; ValueError names the line that is no `coordinate sha256 size`."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 3 or not _plausible(*fields):
            raise ValueError(f"artifacts.lock, line {number}: expected `group:name:version sha256 size`")
        found.append(Artifact(fields[0], fields[1], int(fields[2])))
    return tuple(found)


def _plausible(coordinate: str, sha256: str, size: str) -> bool:
    whole = _COORDINATE.fullmatch(coordinate) and _SHA256.fullmatch(sha256) and size.isdecimal() and size.isascii()
    return bool(whole) and not any(part.startswith(".") for part in coordinate.split(":"))


def is_intact(path: Path, artifact: Artifact) -> bool:
    """True when the file is there with the locked size and sha256."""
    try:
        if path.stat().st_size != artifact.size_bytes:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == artifact.sha256
    except FileNotFoundError:
        return False


def fetch(
    artifacts: Iterable[Artifact], folder: Path, *, say: Callable[[str], None], repository: str = MAVEN_CENTRAL
) -> None:
    """Make every artifact an intact file of `folder`; ArtifactRefused when one cannot be had.

    Every file is checked against its sha256 on each call; only missing or damaged ones are fetched. The caller
    holds the folder's lock, so `.part` files are left-overs of an interrupted run.
    """
    for leftover in folder.glob("*.part"):
        leftover.unlink()
    missing = [artifact for artifact in artifacts if not is_intact(folder / artifact.file_name, artifact)]
    if not missing:
        return
    total_mb = sum(artifact.size_bytes for artifact in missing) / 1e6
    say(f"fetching {len(missing)} pinned files, {total_mb:.1f} MB, from {repository}")
    with _quiet(), concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        jobs = [pool.submit(_fetch_one, artifact, folder, repository) for artifact in missing]
        try:
            for job in concurrent.futures.as_completed(jobs):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch_one(artifact: Artifact, folder: Path, repository: str) -> None:
    part = folder / f"{artifact.file_name}.part"
    problem = _download(artifact, part, repository)
    for pause_seconds in PAUSES_SECONDS:
        if problem is None:
            break
        time.sleep(pause_seconds)
        problem = _download(artifact, part, repository)
    if problem is not None:
        raise ArtifactRefused(
            f"Could not fetch {artifact.coordinate} from {repository}: {problem}. "
            "The first start needs the network; WEIR_MAVEN_URL names another Maven repository."
        )
    if not is_intact(part, artifact):
        part.unlink()
        raise ArtifactRefused(
            f"{artifact.coordinate} from {repository} is not the file artifacts.lock names (sha256 or size differs). "
            "It was thrown away."
        )
    os.replace(part, folder / artifact.file_name)


def _download(artifact: Artifact, target: Path, repository: str) -> str | None:
    """Fetch into `target`; the reason when that failed.

    maven-artifact sets no timeout and does not check what it fetched: the first is added here, the second is ours.
    """
    from maven_artifact import Artifact as Coordinate
    from maven_artifact import Downloader, RequestException, Requestor
    from requests import RequestException as TransferFailed

    class Patient(Requestor):  # type: ignore[misc]
        def request(self, url: str, *args: object, **kwargs: object) -> object:
            limits = (CONNECT_SECONDS, READ_SECONDS)
            return super().request(url, *args, timeout=limits, verify=trusted or True, **kwargs)

    trusted = trusted_certificates(os.environ)
    downloader = Downloader(base=repository)
    downloader.requestor = Patient()
    target.unlink(missing_ok=True)  # else maven-artifact asks the network for its md5
    try:
        downloader.download(Coordinate.parse(artifact.coordinate), filename=str(target))
    except RequestException as failure:
        return " ".join(str(failure.msg).split())
    except (TransferFailed, OSError) as failure:
        return str(failure)
    return None


def trusted_certificates(environ: Mapping[str, str]) -> str | None:
    """The file of certificates to trust: one that is named for Python or pip, else the system's; None: certifi's.

    A company's own certificate is in the system's file, not in the one that comes with certifi.
    """
    named = [environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "PIP_CERT")]
    return next((path for path in (*named, *SYSTEM_CERTIFICATES) if path and Path(path).is_file()), None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Swallow what maven-artifact prints; once around all threads, since stdout belongs to the process."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield
