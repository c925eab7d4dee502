"""What only the dashboard needs: people, and what they prefer."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models


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
