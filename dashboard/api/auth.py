"""Who asks the API: the holder of a bearer token, and nobody by a cookie."""

from django.http import HttpRequest
from ninja.security import HttpBearer

from collector.clock import now
from collector.config import tokens
from dashboard import access, allowances
from dashboard.models import Person


class Bearer(HttpBearer):
    """`Authorization: Bearer weir_api_…`; sets request.auth, which `access.needs` reads.

    With an action, who may not do it is refused here already, before anything of the body is looked at.
    `sends`: counts as one of ten retries a minute, which pausing and cancelling do not.
    """

    def __init__(self, action: access.Action | None = None, *, sends: bool = False) -> None:
        super().__init__()
        self._action, self._sends = action, sends

    def authenticate(self, request: HttpRequest, token: str) -> access.Bearer | None:
        """The token's holder; None for a token that is unknown, ended, a sender's, or of somebody no longer active."""
        found = tokens.find(token, now())
        if found is None or found.kind != "api" or found.person_id is None:
            return None
        person = Person.objects.filter(pk=found.person_id, is_active=True).first()
        if person is None:
            return None
        allowances.spend(found.public_id, retry=self._sends, now=now())
        holder = access.Bearer(person, found.scopes, found.public_id)
        if self._action is not None and not access.can(holder, self._action):
            vars(request).update(auth=holder, refused=self._action)  # who and what, for the audit log
            raise access.Refused(self._action)
        return holder
