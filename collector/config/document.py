"""Everything that people declare in one settings file: clusters, inputs, taps, drop and mask rules, dead letters,
where retries may go, owners, readers, limits, permissions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from collector.config.clusters import Cluster, cluster
from collector.config.limits import Limit, limit, refuse_twice
from collector.config.owners import Owner, owner
from collector.config.readers import Reader, reader
from collector.config.retry_pairs import RetryPair, retry_pair
from collector.config.tables import Problem, Table, glob_problem, topic_problem
from collector.domain import json_paths
from collector.domain.dialects import mapped
from collector.domain.dialects.mapped import LetterMapping

ENCODINGS = ("otlp_proto", "otlp_json")
MOST_RULES = 100
MOST_CLUSTERS = 20  # each takes a process of the sampler, and clients and threads of every collector
MOST_LETTERS = 100_000  # in one retry
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)
_DROPPED, _MASKED = "paths, headers", "paths, headers, attributes"
KINDS = ("clusters", "inputs", "drop", "mask", "dead_letters", "retries", "owners", "readers", "stuck")


@dataclass(frozen=True, slots=True)
class OtlpInput:
    """Topics that hold OTLP, as an OpenTelemetry Collector's Kafka exporter writes them. `cluster` "": the only one.

    `spans_of`: the cluster of spans that name none themselves; "" where nobody knows.
    """

    name: str
    cluster: str
    topics: tuple[str, ...]
    encoding: str
    spans_of: str = ""


@dataclass(frozen=True, slots=True)
class Taps:
    """Which topics are tapped and of which payloads are kept: globs. `keys`: header names and JSON paths.

    None stands for what the environment says. `origins`: topics that dead letters came from are tapped in any case.
    """

    topics: tuple[str, ...] | None = None
    payloads: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    origins: bool = True


@dataclass(frozen=True, slots=True)
class Rule:
    """What of the records of some topics is dropped or masked: JSON paths of the value, header names, the key.

    Of their spans attributes may be masked.
    """

    name: str
    topics: tuple[str, ...]
    paths: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()  # lower case
    key: bool = False
    attributes: tuple[str, ...] = ()  # of spans; masked only


@dataclass(frozen=True, slots=True)
class Permissions:
    """What may be done with dead letters beyond the roles; all is off unless it is declared.

    `approve_above`: a retry of more letters than this needs a second person; None: none does.
    """

    export: bool = False
    approve_edits: bool = False
    approve_above: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """One whole declaration. Empty where nothing was declared: then the environment alone counts."""

    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    inputs: Mapping[str, OtlpInput] = field(default_factory=dict)
    taps: Taps = Taps()
    drops: Mapping[str, Rule] = field(default_factory=dict)
    masks: Mapping[str, Rule] = field(default_factory=dict)
    letters: Mapping[str, LetterMapping] = field(default_factory=dict)
    retries: Mapping[str, RetryPair] = field(default_factory=dict)
    permissions: Permissions = Permissions()
    owners: Mapping[str, Owner] = field(default_factory=dict)
    readers: Mapping[str, Reader] = field(default_factory=dict)
    limits: Mapping[str, Limit] = field(default_factory=dict)


def read(body: Mapping[str, Any]) -> tuple[Document, tuple[Problem, ...]]:
    """The document in a parsed file, and everything that is wrong with it."""
    problems: list[Problem] = []
    tables = {kind: _named(kind, body[kind], problems) for kind in KINDS if kind in body}
    clusters = {name: cluster(name, table) for name, table in tables.get("clusters", {}).items()}
    found = Document(
        clusters=clusters,
        inputs={name: _input(name, table, clusters) for name, table in tables.get("inputs", {}).items()},
        taps=_taps(Table(("taps",), body.get("taps", {}), problems)),
        drops={name: _rule(name, table, _DROPPED) for name, table in tables.get("drop", {}).items()},
        masks={name: _rule(name, table, _MASKED) for name, table in tables.get("mask", {}).items()},
        letters={name: _letters(table) for name, table in tables.get("dead_letters", {}).items()},
        retries={name: retry_pair(table, clusters) for name, table in tables.get("retries", {}).items()},
        permissions=_permissions(Table(("permissions",), body.get("permissions", {}), problems)),
        owners={name: owner(name, table) for name, table in tables.get("owners", {}).items()},
        readers={name: reader(name, table, clusters) for name, table in tables.get("readers", {}).items()},
        limits={name: limit(name, table) for name, table in tables.get("stuck", {}).items()},
    )
    _refuse_unknown(body, problems)
    if len(clusters) > MOST_CLUSTERS:
        problems.append(Problem(("clusters",), f"holds {len(clusters)}; at most {MOST_CLUSTERS} are observed"))
    _refuse_second(clusters, problems)
    _refuse_shared_topics(found, problems)
    refuse_twice(found.limits, problems)
    return found, tuple(problems)


def _named(kind: str, body: object, problems: list[Problem]) -> dict[str, Table]:
    if not isinstance(body, Mapping):
        problems.append(Problem((kind,), f"must be tables with names: [{kind}.NAME]"))
        return {}
    if len(body) > MOST_RULES:
        problems.append(Problem((kind,), f"holds {len(body)} entries; at most {MOST_RULES} are taken"))
    for name in body:
        if not _NAME.fullmatch(name):
            problems.append(Problem((kind, name), "must be named by letters, digits, dots, dashes, at most 63"))
    return {name: Table((kind, name), value, problems) for name, value in body.items()}


def _input(name: str, table: Table, clusters: Mapping[str, Cluster]) -> OtlpInput:
    found = OtlpInput(
        name=name,
        cluster=table.text("cluster"),
        topics=table.texts("topics", check=topic_problem),
        encoding=table.text("encoding", allowed=ENCODINGS, needed=True),
        spans_of=table.text("spans_of"),
    )
    if not found.topics:
        table.blame("topics", "is missing: name the topics that the Kafka exporter writes to")
    for key, named in (("cluster", found.cluster), ("spans_of", found.spans_of)):
        if clusters and named and named not in clusters:
            table.blame(key, f"is none of {', '.join(sorted(clusters))}")
    if len(clusters) > 1 and not found.cluster:
        table.blame("cluster", f"is missing: one of {', '.join(sorted(clusters))}")
    table.done()
    return found


def _taps(table: Table) -> Taps:
    found = Taps(
        topics=table.texts("topics", check=glob_problem) if table.has("topics") else None,
        payloads=table.texts("payloads", check=glob_problem) if table.has("payloads") else None,
        keys=table.texts("keys", check=_is_key) if table.has("keys") else None,
        origins=table.switch("origins", default=True),
    )
    table.expect("topics", "payloads", "keys")
    table.done()
    return found


def _rule(name: str, table: Table, parts: str) -> Rule:
    found = Rule(
        name=name,
        topics=table.texts("topics", check=glob_problem),
        paths=table.texts("paths", check=_is_path),
        headers=tuple(header.lower() for header in table.texts("headers")),
        key=table.switch("key", default=False),
        attributes=table.texts("attributes"),
    )
    if not found.topics:
        table.blame("topics", 'is missing: name topics, ["*"] for all')
    if not (found.paths or found.headers or found.key or found.attributes):
        table.blame("", f"does nothing: give {parts}, or key = true")
    if found.attributes and "attributes" not in parts:
        table.blame("attributes", "can only be masked: move it to [mask.NAME]")
    table.done()
    return found


def _permissions(table: Table) -> Permissions:
    found = Permissions(
        export=table.switch("export", default=False),
        approve_edits=table.switch("approve_edits", default=False),
        approve_above=table.number("approve_above", least=0, most=MOST_LETTERS),
    )
    table.expect("approve_above")
    table.done()
    return found


def _letters(table: Table) -> LetterMapping:
    """Topics alone are enough: then they are dead-letter topics, whatever they are called."""
    topics = table.texts("topics", check=glob_problem)
    if not topics:
        table.blame("topics", "is missing: name the topics that hold these dead letters")
    sources = {}
    for name in mapped.FIELDS:
        if text := table.text(name):
            try:
                sources[name] = mapped.source(text)
            except mapped.NotASource as error:
                table.blame(name, f"is not understood. {error}")
    table.done()
    return LetterMapping(topics, sources)


def _is_path(text: str) -> str | None:
    try:
        json_paths.parse(text)
    except json_paths.NotAPath as error:
        return f"is no path. {error}"
    return None


def _is_key(text: str) -> str | None:
    return _is_path(text) if text.startswith("$") else None


def _refuse_unknown(body: Mapping[str, Any], problems: list[Problem]) -> None:
    table = Table((), body, problems)
    table.expect(*KINDS, "taps", "permissions")
    table.done()


def _refuse_second(clusters: Mapping[str, Cluster], problems: list[Problem]) -> None:
    """There is one environment, and one default."""
    for key in ("environment", "default"):
        named = sorted(name for name, each in clusters.items() if getattr(each, key))
        problems.extend(
            Problem(("clusters", name, key), f"is what clusters.{named[0]} is already: there is one")
            for name in named[1:]
        )


def _refuse_shared_topics(found: Document, problems: list[Problem]) -> None:
    owners: dict[tuple[str, str], str] = {}
    for name, each in found.inputs.items():
        for topic in each.topics:
            other = owners.setdefault((each.cluster if len(found.clusters) > 1 else "", topic), name)
            if other != name:
                problems.append(
                    Problem(("inputs", name, "topics"), f"holds {topic}, which inputs.{other} reads already")
                )
