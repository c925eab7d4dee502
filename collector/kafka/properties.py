"""Address and sign-in -> librdkafka properties that every client of ours starts from."""

import ipaddress

from collector.ports import KafkaRefused


def properties(bootstrap: str, *, username: str, password: str, tls: bool) -> dict[str, str | int]:
    """Properties for one cluster; SASL/PLAIN when a user is given.

    Raises KafkaRefused for a password that would travel in clear text beyond this machine.
    """
    if username and not tls and not _stays_here(bootstrap):
        raise KafkaRefused("A Kafka password beyond loopback needs TLS: set WEIR_KAFKA_TLS=1 (WEIR_SPOOL_TLS=1).")
    found: dict[str, str | int] = {
        "bootstrap.servers": bootstrap,
        "client.id": "weir",
        "reconnect.backoff.max.ms": 2_000,
        "log.connection.close": "false",
    }
    protocol = ("SASL_" if username else "") + ("SSL" if tls else "PLAINTEXT")
    if protocol != "PLAINTEXT":
        found["security.protocol"] = protocol
    if username:
        found |= {"sasl.mechanism": "PLAIN", "sasl.username": username, "sasl.password": password}
    return found


def _stays_here(bootstrap: str) -> bool:
    return all(_is_loopback(address.strip().rpartition(":")[0]) for address in bootstrap.split(","))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
