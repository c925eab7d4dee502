"""Validates what people send; saves nothing."""

import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import cast

from django import forms
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.http import QueryDict

from collector.clock import now
from collector.domain.canary import Sending
from collector.domain.lookups import MOST_MATCHES, MOST_WORDS, Question, Way, Within
from dashboard.passwords import LONGEST
from dashboard.queries.window import BadWindow, moment

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


class UnmaskForm(forms.Form):
    """Which fields of a topic, and why; with the password where that was not given a short while ago."""

    reason = forms.CharField(min_length=3, max_length=300, label="Reason")
    password = forms.CharField(
        max_length=LONGEST,
        strip=False,
        label="Your password",
        help_text="Asked for again after 15 min.",
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    fields_shown = forms.MultipleChoiceField(label="Fields", widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: QueryDict | None = None, *, masked: Sequence[str], asks_password: bool) -> None:
        super().__init__(data, label_suffix="")
        chosen = cast("forms.MultipleChoiceField", self.fields["fields_shown"])
        chosen.choices = [(each, each) for each in masked]
        if not asks_password:
            del self.fields["password"]


class TargetForm(forms.Form):
    """Step 2 of a retry plan: where to, and what happens to letters whose key has newer events."""

    target = forms.CharField(max_length=249, required=False)
    other = forms.CharField(max_length=249, required=False)
    newer = forms.ChoiceField(choices=[("out", "Leave these out"), ("send", "Send anyway")], required=False)

    @property
    def target_name(self) -> str | None:
        """The topic, or None for the default."""
        chosen = str(self.cleaned_data["target"])
        return (str(self.cleaned_data["other"]).strip() if chosen == "*other" else chosen) or None

    @property
    def leaves_newer_out(self) -> bool:
        """Unless the person said otherwise."""
        return bool(self.cleaned_data["newer"] != "send")


class SendingForm(forms.Form):
    """Step 3 of a retry plan: how it is sent."""

    rate = forms.FloatField(min_value=0.1, max_value=500, label="Rate, events a second")
    steps = forms.CharField(max_length=100, required=False, label="Steps before the rest")
    wait = forms.IntegerField(min_value=5, max_value=3600, label="Wait for an outcome, seconds")
    ask = forms.BooleanField(required=False, label="Ask me after the first step")
    stop_first = forms.IntegerField(
        min_value=1, max_value=100_000, label="Stops at so many failures in the first steps"
    )
    stop_percent = forms.FloatField(min_value=0, max_value=100, label="Stops at so many percent of failures later")
    per_key = forms.BooleanField(required=False, label="One at a time for each key")

    def clean_steps(self) -> tuple[int, ...]:
        """Sizes, whatever stands between them. Raises ValidationError."""
        words = re.findall(r"\d+|[^\d\s,→>]+", str(self.cleaned_data["steps"]))
        if any(not word.isdigit() or len(word) > 6 for word in words):
            raise ValidationError("Numbers with spaces between them: 1 5 20 100.")
        return tuple(int(word) for word in words)

    @classmethod
    def of(cls, sending: Sending) -> "SendingForm":
        """The form filled in with what holds now."""
        return cls(
            initial={
                "rate": f"{sending.rate_per_second:g}",
                "steps": " ".join(str(size) for size in sending.steps),
                "wait": sending.wait_seconds,
                "ask": sending.asks_after_first,
                "stop_first": sending.stop_first,
                "stop_percent": f"{sending.stop_percent:g}",
                "per_key": sending.one_per_key,
            }
        )

    @property
    def sending(self) -> Sending:
        """What was sent, valid as far as a form can tell."""
        data = self.cleaned_data
        return Sending(
            rate_per_second=data["rate"],
            steps=data["steps"],
            wait_seconds=data["wait"],
            asks_after_first=data["ask"],
            stop_first=data["stop_first"],
            stop_percent=data["stop_percent"],
            one_per_key=data["per_key"],
        )


class SampleForm(forms.Form):
    """Where a look into a topic begins, and what is looked for."""

    start = forms.ChoiceField(choices=[("newest", ""), ("moment", ""), ("offset", "")], label="Begin")
    at = forms.CharField(max_length=40, required=False, label="Moment")
    partition = forms.IntegerField(min_value=0, max_value=2**31 - 1, required=False, label="Partition")
    offset = forms.IntegerField(min_value=0, max_value=2**63 - 1, required=False, label="Offset")
    words = forms.CharField(max_length=MOST_WORDS, required=False, strip=False, label="Only records with")
    within = forms.ChoiceField(
        choices=[("any", "anywhere"), ("key", "in the key"), ("value", "in the value"), ("headers", "in a header")],
        required=False,
        label="Where",
    )
    most = forms.IntegerField(min_value=1, max_value=MOST_MATCHES, required=False, label="At most")

    def clean_at(self) -> datetime | None:
        """Raises ValidationError."""
        text = str(self.cleaned_data["at"]).strip()
        if not text or self.data.get("start") != "moment":
            return None
        try:
            return moment(text, now=now())
        except BadWindow:
            raise ValidationError("A moment is now-2h, or as 2026-11-23T13:40:00Z.") from None

    def clean(self) -> dict[str, object]:
        """Raises ValidationError where what the beginning needs is not said."""
        data = super().clean() or self.cleaned_data
        start = data.get("start")
        if start == "moment" and not data.get("at") and "at" not in self.errors:
            self.add_error("at", "Say from which moment.")
        for name in ("partition", "offset") if start == "offset" else ():
            if data.get(name) is None and name not in self.errors:
                self.add_error(name, f"Say from which {name}.")
        return data

    @property
    def question(self) -> Question:
        """What was sent, valid."""
        data = self.cleaned_data
        words, within, most = data["words"], cast("Within", data["within"] or "any"), data["most"] or MOST_MATCHES
        if data["start"] == "offset":
            return Question("forward", None, {data["partition"]: data["offset"]}, None, words, within, most)
        way: Way = "newest" if data["start"] == "newest" else "forward"
        return Question(way, data["at"], {}, data["partition"], words, within, most)
