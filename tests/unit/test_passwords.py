"""How passwords are kept and which are taken."""

import pytest
from django.contrib.auth import hashers, password_validation
from django.core.exceptions import ValidationError


def test_s16_a_hash_is_argon2id_at_owasps_floor() -> None:
    encoded = hashers.make_password("a phrase of several words")
    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert hashers.check_password("a phrase of several words", encoded)
    assert not hashers.check_password("a phrase of several word", encoded)


@pytest.mark.parametrize("password", ["elevenchars", "x" * 129, "1qaz2wsx3edc"])
def test_s16_short_endless_and_common_passwords_are_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        password_validation.validate_password(password)


@pytest.mark.parametrize("password", ["all lower case it is", "ßüöäßüöäßüöä", "x7" * 64, "  spaces count  "])
def test_s16_nothing_is_asked_of_the_characters(password: str) -> None:
    password_validation.validate_password(password)
