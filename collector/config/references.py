"""Where a secret lies: `env:WEIR_SECRET_…` or `file:name` in WEIR_SECRETS_DIR. Never the secret itself."""

import re

_ENV = re.compile(r"env:WEIR_SECRET_[A-Z0-9_]{1,100}", re.ASCII)
_FILE = re.compile(r"file:(?!\.)[A-Za-z0-9._-]{1,100}", re.ASCII)
HOW = (
    "must say where the secret lies, not what it is: env:WEIR_SECRET_… (a variable of the collector's processes)"
    " or file:NAME (a file in WEIR_SECRETS_DIR)"
)
HOW_ENV = "must name a variable of the collector's processes: env:WEIR_SECRET_…"


def is_reference(text: str, *, env_only: bool = False) -> bool:
    """Whether `text` is such a reference. What is behind it is not looked at."""
    return bool(_ENV.fullmatch(text) or (not env_only and _FILE.fullmatch(text)))
