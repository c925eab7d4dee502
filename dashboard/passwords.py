"""How passwords are kept and which are taken: Argon2id at OWASP's floor, length and a common-password list."""

from threading import BoundedSemaphore
from typing import Any

from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core.exceptions import ValidationError

SHORTEST, LONGEST = 12, 128
_AT_ONCE = 4
_slots = BoundedSemaphore(_AT_ONCE)


class Argon2id(Argon2PasswordHasher):
    """19 MiB, two passes, one lane; four at once, so that a flood of logins cannot take the memory."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1

    def encode(self, password: str, salt: str) -> str:
        """The hash to store."""
        with _slots:
            return super().encode(password, salt)

    def verify(self, password: str, encoded: str) -> bool:
        """Whether `password` made `encoded`."""
        with _slots:
            return super().verify(password, encoded)


class Length:
    """12 to 128 characters; no rules on which (ASVS 5.0, 6.2)."""

    def validate(self, password: str, user: Any = None) -> None:  # noqa: ANN401, ARG002 - Django's signature
        """Raises ValidationError with the sentence that a person reads."""
        if len(password) < SHORTEST:
            raise ValidationError(f"Use at least {SHORTEST} characters.", code="password_too_short")
        if len(password) > LONGEST:
            raise ValidationError(f"Use at most {LONGEST} characters.", code="password_too_long")

    def get_help_text(self) -> str:
        """The rule as a sentence."""
        return f"{SHORTEST} to {LONGEST} characters."
