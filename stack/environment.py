"""What each child gets to see of our environment: no secret it does not need (security S65)."""

import re
from collections.abc import Mapping

_COMMON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "USER", "LOGNAME")
_SECRET = re.compile(r"WEIR_SECRETS?_.*|.*_(PASSWORD|USERNAME|TOKEN|KEY)(_FILE)?")


def server_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """For PostgreSQL, Valkey, Kafka and the shop: no setting of Weir, no secret."""
    return {name: value for name, value in environ.items() if name in _COMMON or name.startswith("LC_")}


def plain_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """The settings of Weir that are no secret; secrets are granted to the parts that need them."""
    return {name: value for name, value in environ.items() if name.startswith("WEIR_") and not _SECRET.fullmatch(name)}
