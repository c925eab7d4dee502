"""Adapters from settings: each cluster is reached as it says itself, and told no other one's secrets."""

from collections.abc import Mapping
from typing import Any

import pytest
from django.db import transaction
from pytest_django.fixtures import Settings

from collector import observing, wiring
from collector.clock import now
from collector.config import declared
from collector.retry.dispatch import NotObserved

pytestmark = pytest.mark.usefixtures("clean_tables")


@pytest.fixture(autouse=True)
def environment(settings: Settings) -> None:
    settings.WEIR_CLUSTER_NAME, settings.WEIR_KAFKA_BOOTSTRAP = "home", "127.0.0.1:1"
    settings.WEIR_KAFKA_USERNAME, settings.WEIR_KAFKA_PASSWORD = "reads", "r"
    settings.WEIR_RETRY_USERNAME, settings.WEIR_RETRY_PASSWORD = "writes", "w"


def declare(clusters: Mapping[str, Any], **more: Any) -> None:
    with transaction.atomic():
        declared.replace({"clusters": clusters, **more}, by="test", now=now())


def users() -> dict[str, tuple[object, object]]:
    """By cluster: who reads, and who sends retries."""
    found = observing.observed(declared.document())
    return {each.name: (each.reads().get("sasl.username"), each.sends().get("sasl.username")) for each in found}


def test_without_a_declaration_there_is_the_environments_cluster() -> None:
    assert users() == {"home": ("reads", "writes")}


def test_the_environments_retry_user_is_told_to_its_own_cluster_and_to_one_that_is_alone() -> None:
    declare({"east": {"bootstrap": "127.0.0.1:2"}})
    assert users() == {"east": (None, "writes")}
    declare({"east": {"bootstrap": "127.0.0.1:2"}, "house": {"environment": True}})
    assert users() == {"east": (None, None), "house": ("reads", "writes")}


def test_a_secret_that_is_missing_on_one_cluster_keeps_no_other_from_being_collected() -> None:
    broken = {"bootstrap": "127.0.0.1:2", "sasl": "plain", "username": "u", "password": "env:WEIR_SECRET_NOT_SET"}
    otlp = {"topics": ["otlp_spans"], "encoding": "otlp_proto", "cluster": "house"}
    declare({"east": broken, "house": {"environment": True}}, inputs={"gateway": otlp})
    collector = wiring.collecting()
    assert [worker.name for worker in collector.workers] == ["spool", "taps of east", "taps of house", "otlp of house"]


def test_only_a_cluster_that_has_the_spool_is_needed_by_a_collector(settings: Settings) -> None:
    def has_spool() -> list[bool]:
        return [each.has_spool for each in observing.observed(declared.document())]

    settings.WEIR_SPOOL_BOOTSTRAP = "127.0.0.1:2"
    assert has_spool() == [False]
    settings.WEIR_SPOOL_BOOTSTRAP = settings.WEIR_KAFKA_BOOTSTRAP
    assert has_spool() == [True]
    declare({"east": {"bootstrap": settings.WEIR_KAFKA_BOOTSTRAP}, "house": {"environment": True}})
    assert has_spool() == [False, True]


def test_taps_of_a_cluster_take_the_place_of_those_for_all() -> None:
    declare(
        {"east": {"bootstrap": "a:1", "taps": ["orders.*"], "payloads": []}, "house": {"environment": True}},
        taps={"topics": ["*"], "payloads": ["*"]},
    )
    document = declared.document()
    rules = {name: wiring.tap_rules(document, cluster) for name, cluster in document.clusters.items()}
    assert (rules["east"].topics, rules["east"].payloads) == (("orders.*",), ())
    assert (rules["house"].topics, rules["house"].payloads) == (("*",), ("*",))


def test_nothing_is_sent_to_a_cluster_that_was_taken_out() -> None:
    declare({"east": {"bootstrap": "127.0.0.1:2"}})
    with pytest.raises(NotObserved), wiring.retry_sender("home"):
        pass
