"""Where dead letters may be sent besides the topic that they came from, where an admin says so (security: S40)."""

from collections.abc import Mapping
from dataclasses import dataclass

from collector.config.clusters import Cluster
from collector.config.tables import Table, topic_problem
from collector.domain.dialects.names import role


@dataclass(frozen=True, slots=True)
class RetryPair:
    """Letters of these dead-letter topics may go to `target`. `cluster` "": the only one."""

    cluster: str
    dead_letters: tuple[str, ...]
    target: str


def retry_pair(table: Table, clusters: Mapping[str, Cluster]) -> RetryPair:
    """The pair that a table declares; what is wrong is noted in the table."""
    found = RetryPair(
        cluster=table.text("cluster"),
        dead_letters=table.texts("dead_letters", check=topic_problem),
        target=table.text("target", needed=True),
    )
    if not found.dead_letters:
        table.blame("dead_letters", "is missing: name the dead-letter topics, whole")
    if found.target and topic_problem(found.target):
        table.blame("target", "must be the name of a topic")
    elif role(found.target) in {"internal", "dead_letter"}:
        table.blame("target", "is an internal or a dead-letter topic: nothing is ever sent there")
    if clusters and found.cluster and found.cluster not in clusters:
        table.blame("cluster", f"is none of {', '.join(sorted(clusters))}")
    if len(clusters) > 1 and not found.cluster:
        table.blame("cluster", f"is missing: one of {', '.join(sorted(clusters))}")
    table.done()
    return found
