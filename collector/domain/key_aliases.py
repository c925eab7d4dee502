"""What stands for a masked key: the same for the same key, and nobody without the secret can test a guess with it."""

import hmac

SIGN, DIGITS = "~", 16


def alias(secret: bytes, key: bytes | str) -> str:
    """`~` and sixteen hexadecimal digits."""
    raw = key.encode("utf-8", "replace") if isinstance(key, str) else key
    return SIGN + hmac.new(secret, raw, "sha256").hexdigest()[:DIGITS]
