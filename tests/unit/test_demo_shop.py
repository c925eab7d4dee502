"""The shop's shape: enough services and topics, in the pattern that the pages are made for."""

import ast
from pathlib import Path

import pytest

import demo
from demo.parts import CATALOGUE, PARTS, NoSuchPart, part_named
from demo.steps import STEPS
from demo.topics import ORDERS, ORDERS_DEAD, ORDERS_RETRY, TOPICS

N_PARTITIONS = {topic.name: topic.n_partitions for topic in TOPICS}


def readers_of(topic: str) -> list[str]:
    return [part.name for part in CATALOGUE if topic in part.reads]


def longest_chain(topic: str, seen: frozenset[str] = frozenset()) -> int:
    """Hops (a topic and a group that reads it) from this topic on, never twice through one topic."""
    onward = [
        longest_chain(written, seen | {topic})
        for part in CATALOGUE
        if topic in part.reads
        for written in part.writes
        if written not in seen | {topic}
    ]
    return 1 + max(onward, default=0) if readers_of(topic) else 0


def test_there_are_nine_services_and_ten_topics_at_least() -> None:
    assert len(set(PARTS)) == len(PARTS) >= 9
    assert len(N_PARTITIONS) == len(TOPICS) >= 10


def test_every_topic_that_is_read_or_written_exists_and_every_topic_has_a_writer() -> None:
    written = {topic for part in CATALOGUE for topic in part.writes}
    read = {topic for part in CATALOGUE for topic in part.reads}
    assert written == set(N_PARTITIONS)
    assert read <= written


def test_orders_fan_out_to_three_groups_and_the_mailer_reads_two_topics() -> None:
    assert readers_of(ORDERS) == ["billing-svc", "shipping-svc", "audit"]
    assert len(part_named("mailer").reads) == 2


def test_the_longest_chain_has_five_hops_and_ends_at_a_service_that_sends_nothing() -> None:
    assert longest_chain(ORDERS) == 6  # five, and one more for an order that takes the way by the retry topic
    assert longest_chain("payments.captured") == 4
    assert part_named("analytics").writes == ()


def test_dead_letters_and_retries_can_keep_the_partition_of_the_order() -> None:
    assert N_PARTITIONS[ORDERS] == N_PARTITIONS[ORDERS_DEAD] == N_PARTITIONS[ORDERS_RETRY]


def test_two_services_are_not_traced_and_some_traced_ones_do_not_name_their_group() -> None:
    assert [part.name for part in CATALOGUE if not part.traced] == ["audit", "partner-bridge"]
    assert {"ledger-svc", "mailer"} <= {part.name for part in CATALOGUE if part.group and not part.names_its_group}


def test_every_group_has_one_service_and_every_reader_has_a_step() -> None:
    groups = [part.group for part in CATALOGUE if part.group is not None]
    assert len(set(groups)) == len(groups)
    assert set(STEPS) == {part.name for part in CATALOGUE if part.reads}


def test_an_unknown_part_is_named_together_with_those_there_are() -> None:
    with pytest.raises(NoSuchPart, match=r"'nobody'.*billing-svc"):
        part_named("nobody")


def test_the_shop_imports_nothing_of_weir_nor_of_its_stack() -> None:
    imported: set[str] = set()
    for path in Path(demo.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.split(".")[0])
    assert not imported & {"collector", "dashboard", "stack", "tests", "benchmarks", "native"}
