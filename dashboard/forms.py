"""Validates what people send; saves nothing."""

import unicodedata

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError

from dashboard.passwords import LONGEST

LONGEST_NAME = 80


class PersonName(forms.CharField):
    """A name as it is stored: NFKC, no control or invisible characters, 1 to 80."""

    def __init__(self) -> None:
        super().__init__(
            max_length=LONGEST_NAME,
            label="Name",
            widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
        )

    def to_python(self, value: object) -> str | None:
        """The normalised name."""
        text = super().to_python(value)
        return unicodedata.normalize("NFKC", text).strip() if text else text

    def validate(self, value: str | None) -> None:
        """Raises ValidationError."""
        super().validate(value)
        if value and any(unicodedata.category(sign)[0] == "C" for sign in value):
            raise ValidationError("Use letters, digits and signs that can be seen.")


class SignIn(forms.Form):
    """Name and password, as typed, pasted or filled in."""

    name = PersonName()
    password = forms.CharField(
        max_length=LONGEST,
        strip=False,
        label="Password",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class FirstAdmin(forms.Form):
    """The first admin's name and password."""

    name = PersonName()
    password = forms.CharField(
        max_length=LONGEST,
        strip=False,
        label="Password",
        help_text="At least 12 characters.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_password(self) -> str:
        """Raises ValidationError with what the password lacks."""
        password = str(self.cleaned_data["password"])
        password_validation.validate_password(password)
        return password
