"""Who looks at the pages. The tables are cleared by the test's own fixtures, which come before."""

import pytest
from django.test import Client

from tests.integration.people import person, signed_in


@pytest.fixture
def olga() -> Client:
    """An operator."""
    return signed_in(person("olga", "operator"))
