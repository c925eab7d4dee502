"""A Kafka cluster as people declare it: where it is, and how Weir signs in, with references in place of secrets."""

import ipaddress
import re
from dataclasses import dataclass

from collector.config.tables import Table, glob_problem

MECHANISMS = ("plain", "scram-sha-256", "scram-sha-512", "oauthbearer")
_ADDRESS = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9a-fA-F:]{2,45}\]):([0-9]{1,5})", re.ASCII)
_WITH_PASSWORD = frozenset({"plain", "scram-sha-256", "scram-sha-512"})
_CLEAR = frozenset({"plain", "oauthbearer"})  # what is sent can be used again by whoever listens


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster. `ca`, `certificate`, `key`, `key_password`, `password`, `client_secret`, `token_url`: references.

    `sasl` is "" or one of MECHANISMS. Texts that were not given are "". With `environment` the address and the sign-in
    are those of WEIR_KAFKA_…. `taps`, `payloads`: globs in the place of those of [taps]; None where they count here.
    """

    name: str
    bootstrap: tuple[str, ...] = ()
    environment: bool = False
    default: bool = False  # spans that nobody can say a cluster of are taken for its own
    tls: bool = False
    ca: str = ""
    certificate: str = ""
    key: str = ""
    key_password: str = ""
    sasl: str = ""
    username: str = ""
    password: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scope: str = ""
    retry_username: str = ""  # who sends retries, where that is somebody else; the same mechanism
    retry_password: str = ""
    retry_certificate: str = ""
    retry_key: str = ""
    retry_key_password: str = ""
    taps: tuple[str, ...] | None = None
    payloads: tuple[str, ...] | None = None

    @property
    def references(self) -> tuple[str, ...]:
        """Every secret that it names."""
        named = (self.ca, self.certificate, self.key, self.key_password, self.password, self.token_url)
        retry = (self.retry_password, self.retry_certificate, self.retry_key, self.retry_key_password)
        return tuple(each for each in (*named, self.client_secret, *retry) if each)

    @property
    def sends_as_it_reads(self) -> bool:
        """It signs in as somebody, and names nobody else who sends its retries."""
        return bool(self.sasl or self.certificate) and not (self.retry_username or self.retry_certificate)


def cluster(name: str, table: Table) -> Cluster:
    """The cluster that a table declares; what is wrong is noted in the table."""
    default = table.switch("default", default=False)
    if table.switch("environment", default=False):
        found = Cluster(
            name, environment=True, default=default, taps=_globs(table, "taps"), payloads=_globs(table, "payloads")
        )
        table.done("where environment = true")
        return found
    found = Cluster(
        name=name,
        bootstrap=_addresses(table),
        default=default,
        tls=table.switch("tls", default=False),
        ca=table.reference("ca"),
        certificate=table.reference("certificate"),
        key=table.reference("key"),
        key_password=table.reference("key_password"),
        sasl=table.text("sasl", allowed=MECHANISMS),
        username=table.text("username"),
        password=table.reference("password"),
        token_url=table.reference("token_url", env_only=True),
        client_id=table.text("client_id"),
        client_secret=table.reference("client_secret"),
        scope=table.text("scope"),
        retry_username=table.text("retry_username"),
        retry_password=table.reference("retry_password"),
        retry_certificate=table.reference("retry_certificate"),
        retry_key=table.reference("retry_key"),
        retry_key_password=table.reference("retry_key_password"),
        taps=_globs(table, "taps"),
        payloads=_globs(table, "payloads"),
    )
    table.done()
    _check_tls(found, table)
    _check_sasl(found, table)
    _check_retry(found, table)
    return found


def is_loopback(address: str) -> bool:
    """Whether host:port is this machine itself."""
    host = address.strip().rpartition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _globs(table: Table, name: str) -> tuple[str, ...] | None:
    found = table.texts(name, check=glob_problem)
    return found if table.has(name) else None


def _addresses(table: Table) -> tuple[str, ...]:
    found = tuple(part.strip() for part in table.text("bootstrap", needed=True).split(",") if part.strip())
    for address in found:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match[1]) < 65_536:
            table.blame("bootstrap", "must be host:port, several with commas between them")
            break
    return found


def _check_tls(found: Cluster, table: Table) -> None:
    for name in ("ca", "certificate", "key", "key_password"):
        if getattr(found, name) and not found.tls:
            table.blame(name, "needs tls = true")
    if bool(found.certificate) != bool(found.key):
        table.blame(
            "key" if found.certificate else "certificate", "is missing: a client certificate and its key go together"
        )
    if found.key_password and not found.key:
        table.blame("key_password", "is of no use without key")


def _check_retry(found: Cluster, table: Table) -> None:
    """A user is beside a user, a certificate beside a certificate: half of one would sign in as a mixture."""
    for needed, beside, name in (
        ("retry_username", "retry_password", "username"),
        ("retry_certificate", "retry_key", "certificate"),
    ):
        if bool(getattr(found, needed)) != bool(getattr(found, beside)):
            absent = beside if getattr(found, needed) else needed
            table.blame(absent, f"is missing: {needed} and {beside} go together")
        if getattr(found, needed) and not getattr(found, name):
            table.blame(needed, f"is of no use without {name}")
    if found.retry_key_password and not found.retry_key:
        table.blame("retry_key_password", "is of no use without retry_key")


def _check_sasl(found: Cluster, table: Table) -> None:
    needed: dict[str, bool] = {
        "username": found.sasl in _WITH_PASSWORD,
        "password": found.sasl in _WITH_PASSWORD,
        "token_url": found.sasl == "oauthbearer",
        "client_id": found.sasl == "oauthbearer",
        "client_secret": found.sasl == "oauthbearer",
    }
    for name, is_needed in needed.items():
        if is_needed and not table.has(name):
            table.blame(name, f'is missing: sasl = "{found.sasl}" needs it')
        if not is_needed and table.has(name):
            table.blame(name, "is of no use with this sasl" if found.sasl else "needs sasl")
    if found.scope and found.sasl != "oauthbearer":
        table.blame("scope", 'is of no use without sasl = "oauthbearer"')
    if found.sasl in _CLEAR and not found.tls and not all(is_loopback(each) for each in found.bootstrap):
        table.blame("tls", f'must be true: sasl = "{found.sasl}" would be sent in clear text beyond this machine')
