"""What each child gets to see of our environment: no secret it does not need."""

from collections.abc import Mapping

_COMMON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "LOGNAME")


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """For PostgreSQL, Valkey and Kafka: no setting of Weir, no secret."""
    return {name: value for name, value in environ.items() if name in _COMMON or name.startswith("LC_")}
