"""What only the dashboard needs: people, and what they prefer."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.crypto import salted_hmac


class Role(models.TextChoices):
    """Each role includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class PersonManager(BaseUserManager["Person"]):
    """Finds people by name, as Django's authentication asks for."""


class Person(AbstractBaseUser):
    """Somebody, or some script, that acts under a name. `epoch` is raised to end all their sessions."""

    name = models.CharField(max_length=80, unique=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    epoch = models.PositiveIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    objects = PersonManager()

    USERNAME_FIELD = "name"

    class Meta:
        constraints = (models.CheckConstraint(condition=models.Q(role__in=Role.values), name="person_role_is_known"),)

    def __str__(self) -> str:
        """The name that pages and the audit log show."""
        return self.name

    def get_session_auth_hash(self) -> str:
        """What a session remembers of its person: a new password or a raised epoch ends it (S20)."""
        return salted_hmac("dashboard.models.Person", f"{self.password}:{self.epoch}", algorithm="sha256").hexdigest()


class SignInLink(models.Model):
    """The link that makes the first admin. Only its hash is kept; it works once, for ten minutes."""

    digest = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        """When it ends; nothing that opens it."""
        return f"sign-in link until {self.expires_at:%H:%M:%S}"


class Allowance(models.Model):
    """What an API token may still ask at `at`; it fills up again with time (S25)."""

    key = models.CharField(max_length=40, primary_key=True)  # kind and the token's public id
    n_left = models.FloatField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        """The kind, and what is left."""
        return f"{self.key.partition(':')[0]}: {self.n_left:.1f}"


class SignInTries(models.Model):
    """Tries to sign in that are held against one key: a name, an address, both, or a known browser (S17)."""

    key = models.CharField(max_length=80, primary_key=True)  # kind and HMAC; names and addresses are not kept
    n = models.PositiveIntegerField(default=0)
    since_at = models.DateTimeField()
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        """The kind of the key."""
        return f"{self.n} tries, {self.key.partition(':')[0]}"


class KeptPath(models.Model):
    """The path of one event as it was when somebody chose to keep it. Both bodies are JSON, compressed."""

    cluster = models.TextField()
    topic = models.TextField()
    partition = models.IntegerField()
    offset = models.BigIntegerField()
    body = models.BinaryField()
    otlp = models.BinaryField()
    kept_by = models.CharField(max_length=80)
    kept_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=("cluster", "topic", "partition", "offset"), name="one_kept_path_an_event"),
        )

    def __str__(self) -> str:
        """The event's address."""
        return f"{self.topic}/{self.partition}/{self.offset}"
