"""Who owns a service, as its own resource attributes say it."""

from collections.abc import Mapping

from collector.domain.texts import cut, storable

FIELDS = ("owner", "team", "domain", "repo", "runbook", "on_call")
LONGEST = 300
ATTRIBUTES = {
    "owner": ("service.owner", "owner"),
    "team": ("service.team", "team"),
    "repo": ("vcs.repository.url.full", "service.repository.url"),
    "runbook": ("service.runbook.url", "runbook.url"),
    "on_call": ("service.on_call", "service.oncall"),
}
"""Only the repository has a name in OpenTelemetry's conventions, the others are what people use. The first counts."""


def owned(attributes: Mapping[str, object]) -> dict[str, str]:
    """The fields of FIELDS that these resource attributes tell. The domain is the service's namespace itself."""
    found = {}
    for field, names in ATTRIBUTES.items():
        text = next((value for name in names if isinstance(value := attributes.get(name), str) and value.strip()), "")
        if text:
            found[field] = cut(storable(text.strip()), LONGEST)
    return found
