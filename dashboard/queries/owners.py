"""Whose a service, a topic or a group is: as the settings file declares it, else as services say it themselves."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.db import connection

from collector.config.document import read
from collector.config.owners import Owner
from collector.domain import identities
from collector.domain.ownership import FIELDS

WORDS = {"owner": "Owner", "team": "Team", "domain": "Domain", "repo": "Repository", "runbook": "Runbook",
         "on_call": "On call"}  # fmt: skip
_KINDS = {"service": "services", "topic": "topics", "group": "groups"}


@dataclass(frozen=True, slots=True)
class Fact:
    """One word about who owns something. `source`: declared, or the service that says it. `url` "": no link."""

    name: str
    word: str
    text: str
    url: str
    source: str


def owners_of(identity: str) -> tuple[Fact, ...]:
    """Who owns the thing with this id ("service:ns/name", "topic:prod/orders"). At most two statements.

    Each fact for itself: from the entry of the settings file whose pattern fits best, else from the service's own
    attributes, of a group those of the one service that reads as it.
    """
    found = identities.parts(identity)
    if found is None:
        return ()
    kind, names = found
    name = "/".join(names) if kind == "service" else names[-1]
    declared = _declared(_KINDS[kind], name)
    told = _told(kind, names)
    facts = []
    for field in FIELDS:
        if text := declared.get(field):
            facts.append(_fact(field, text, "declared"))
        elif (said := told.get(field)) is not None:
            facts.append(_fact(field, *said))
    return tuple(facts)


def grouped(things: Collection[str]) -> Mapping[str, Mapping[str, str]]:
    """Domain and team of many things at once, by id, where they are known. Two statements."""
    entries = _entries()
    with connection.cursor() as cursor:
        cursor.execute(
            "select s.namespace, s.name, f.value from service_fact f join service s on s.id = f.service_id"
            " where f.name = 'team'"
        )
        told = {identities.service_id(namespace, name): text for namespace, name, text in cursor.fetchall()}
    result: dict[str, dict[str, str]] = {}
    for identity in things:
        found = identities.parts(identity)
        facts = {"team": told[identity]} if identity in told else {}
        if found and entries:
            kind, names = found
            facts |= _fitting(entries, _KINDS[kind], "/".join(names) if kind == "service" else names[-1])
        result[identity] = {name: text for name, text in facts.items() if name in {"domain", "team"}}
    return result


def group_owners() -> "Owners":
    """Who owns which group, for a list of them. Two statements."""
    with connection.cursor() as cursor:
        cursor.execute(_OF_GROUPS)
        told: dict[tuple[str, str], dict[str, str]] = {}
        for cluster, group, field, text in cursor.fetchall():
            told.setdefault((cluster, group), {})[field] = text
    return Owners(tuple(_entries()), told)


@dataclass(frozen=True, slots=True)
class Owners:
    """What is declared of groups, and what services say that read as them alone, by cluster and group."""

    declared: tuple[Owner, ...]
    told: Mapping[tuple[str, str], Mapping[str, str]]

    def of(self, cluster: str, group: str) -> str:
        """The owner, else the team; declared before told. "" where nobody says."""
        declared, told = _fitting(self.declared, _KINDS["group"], group), self.told.get((cluster, group), {})
        known = (facts[field] for field in ("owner", "team") for facts in (declared, told) if field in facts)
        return next(known, "")


def _declared(kind: str, name: str) -> Mapping[str, str]:
    return _fitting(_entries(), kind, name)


def _entries() -> Sequence[Owner]:
    with connection.cursor() as cursor:
        cursor.execute("select name, body::text from declared where kind = 'owners'")
        body = {entry: json.loads(text) for entry, text in cursor.fetchall()}
    return tuple(read({"owners": body})[0].owners.values()) if body else ()


def _fitting(entries: Iterable[Owner], kind: str, name: str) -> dict[str, str]:
    """What the entries that fit say together."""
    fitting = sorted((entry for entry in entries if entry.fits(kind, name)), key=lambda entry: _rank(entry, kind, name))
    return {field: text for entry in fitting for field, text in entry.facts.items()}


def _rank(entry: Owner, kind: str, name: str) -> tuple[int, str]:
    """The best fitting last: its word counts. Of two that fit as well the first by name."""
    return entry.fits(kind, name), "".join(chr(0x10FFFF - ord(char)) for char in entry.name)


def _told(kind: str, names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """By field, what a service says of itself, and its name. Topics say nothing."""
    if kind == "topic":
        return {}
    with connection.cursor() as cursor:
        if kind == "service":
            namespace, name = ("", *names)[-2:]
            cursor.execute(_OF_SERVICE, [namespace, name])
        else:
            cursor.execute(_OF_GROUP, {"cluster": names[0], "group": names[-1]})
        rows = cursor.fetchall()
    found = {field: (text, service) for field, text, service, _ in rows if field}
    namespaces = {(namespace, service) for _, _, service, namespace in rows}
    for namespace, service in namespaces:
        if namespace:
            found["domain"] = (namespace, service)
    return found


_OF_SERVICE = """
    select f.name, f.value, s.name, s.namespace from service s left join service_fact f on f.service_id = s.id
    where s.namespace = %s and s.name = %s and s.id > 0
"""
_OF_GROUP = """
    with readers as (
      select distinct e.service_id from edge e left join group_hint h
        on h.service_id = e.service_id and h.topic_id = e.topic_id
      where e.kind = 2 and coalesce(e.group_id, h.group_id) = (select g.id from consumer_group g
        join cluster c on c.id = g.cluster_id where c.name = %(cluster)s and g.name = %(group)s)
    )
    select f.name, f.value, s.name, s.namespace from service s left join service_fact f on f.service_id = s.id
    where s.id in (select service_id from readers) and (select count(*) from readers) = 1
"""
_OF_GROUPS = """
    with readers as (
      select distinct coalesce(e.group_id, h.group_id) group_id, e.service_id from edge e left join group_hint h
        on h.service_id = e.service_id and h.topic_id = e.topic_id
      where e.kind = 2 and coalesce(e.group_id, h.group_id) is not null
    ), alone as (select group_id, min(service_id) service_id from readers group by 1 having count(*) = 1)
    select c.name, g.name, f.name, f.value from alone join service_fact f using (service_id)
    join consumer_group g on g.id = alone.group_id join cluster c on c.id = g.cluster_id
    where f.name in ('owner', 'team')
"""


def _fact(field: str, text: str, source: str) -> Fact:
    return Fact(field, WORDS[field], text, web_link(text), source)


def web_link(text: str) -> str:
    """The text itself where it is a web address with a host and without a password; else ""."""
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return ""
    return text if is_web and text.isprintable() and " " not in text else ""
