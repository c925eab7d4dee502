"""The sampler as a process of its own, while its broker is killed under it (frozen: test_lag_hazards)."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # not in its stubs

from tests.acceptance.observed_broker import Observed, observed_broker

pytestmark = [pytest.mark.acceptance, pytest.mark.kafka]

BACK_SECONDS = 20.0  # two intervals on a quiet machine; a broker that was frozen takes its time on a busy one
LIBRARY_DEATHS = {-signal.SIGABRT, -signal.SIGSEGV}  # librdkafka, when an answer comes after its time-out
N_RECORDS, N_COMMITTED = 500, 200


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    with observed_broker(tmp_path_factory.mktemp("survives")) as world:
        fill(world)
        yield world


def kill(observed: Observed) -> None:
    """The broker dies without a word and comes again."""
    os.kill(observed.broker_pid, signal.SIGKILL)
    observed.until(lambda: failed_scans(observed) >= 1, seconds=60)
    observed.supervisor.tick()
    observed.supervisor.start()


def failed_scans(observed: Observed) -> int:
    return int(observed.rows("select count(*) from scan where not ok and reason <> ''")[0][0])


def test_another_process_takes_over_when_the_sampler_is_killed(observed: Observed) -> None:
    observed.start_sampler()
    ready = observed.folder / "ready"
    observed.until(lambda: scanned_since(observed, 0) and ready.exists(), seconds=30)
    first = observed.sampler
    assert first is not None
    ready.unlink()
    observed.start_sampler()
    observed.until(ready.exists, seconds=30)
    assert len(observed.rows("select distinct sentence from part_report")) == 2  # one works, one stands by
    first.kill()
    first.wait()
    killed_at = time.time()
    observed.until(lambda: scanned_since(observed, killed_at), seconds=BACK_SECONDS)
    assert observed.stop_sampler() == 0
    assert observed.rows("select distinct high from topic_sample") == [([N_RECORDS],)]


def test_the_sampler_is_back_and_stored_nothing_false(observed: Observed) -> None:
    observed.start_sampler()
    observed.until(lambda: observed.rows("select lag from group_now") == [(N_RECORDS - N_COMMITTED,)], seconds=30)
    for _ in range(2):
        kill(observed)
        back_at = time.time()
        observed.until(lambda at=back_at: scanned_since(observed, at), seconds=BACK_SECONDS)  # type: ignore[misc]
        observed.rows("delete from scan where not ok returning 1")
    assert set(observed.exits) <= LIBRARY_DEATHS
    produce(observed, 50)
    observed.until(lambda: observed.rows("select lag from group_now") == [(N_RECORDS + 50 - N_COMMITTED,)], seconds=30)
    assert observed.rows("select distinct high, low from topic_sample order by 1") == [
        ([N_RECORDS], [0]),
        ([N_RECORDS + 50], [0]),
    ]
    assert observed.rows("select distinct committed from group_sample") == [([N_COMMITTED],)]
    assert observed.rows("select count(*) from topic where name = 'orders'") == [(1,)]
    assert observed.stop_sampler() == 0


def fill(observed: Observed) -> None:
    observed.admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(10)
    produce(observed, N_RECORDS)
    observed.until(lambda: has_committed(observed), seconds=30)  # the first group makes the topic of all offsets


def has_committed(observed: Observed) -> bool:
    asked = observed.admin.alter_consumer_group_offsets(
        [ConsumerGroupTopicPartitions("billing", [TopicPartition("orders", 0, N_COMMITTED)])]
    )
    return asked["billing"].result(10).topic_partitions[0].error is None


def produce(observed: Observed, n: int) -> None:
    producer = Producer({"bootstrap.servers": observed.broker.bootstrap, "log_level": 0})
    for number in range(n):
        producer.produce("orders", str(number))
    assert producer.flush(20) == 0


def scanned_since(observed: Observed, at: float) -> bool:
    return bool(observed.rows(f"select count(*) from scan where ok and sampled_at > to_timestamp({at})")[0][0])
