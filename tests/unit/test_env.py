"""Settings from the environment: typed, and refused with a sentence."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard import process
from dashboard.env import Environment


@pytest.mark.parametrize(
    ("value", "expected"), [("", 0), ("50GB", 50 * 10**9), ("500mb", 500 * 10**6), ("2TB", 2 * 10**12)]
)
def test_a_size_is_a_number_and_a_unit(value: str, expected: int) -> None:
    assert Environment({"X": value}).size("X") == expected


@pytest.mark.parametrize("value", ["50", "GB", "0GB", "-1GB", "1.5GB", "50 GB", "50GiB", "9999999GB", "٣GB"])
def test_what_is_no_size_is_refused_with_an_example(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="50GB"):
        Environment({"X": value}).size("X")


def test_a_value_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from the file\n")
    env = Environment({"SECRET_KEY_FILE": str(tmp_path / "key")})
    assert env.text("SECRET_KEY") == "from the file"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda env: env.port("X", 1), "0"),
        (lambda env: env.port("X", 1), "80.5"),
        (lambda env: env.port("X", 1), "65536"),
        (lambda env: env.number("X", 1), "many"),
        (lambda env: env.switch("X"), "maybe"),
        (lambda env: env.choice("X", "a", ("a", "b")), "c"),
        (lambda env: env.address("X", "127.0.0.1"), "localhost"),
        (lambda env: env.networks("X"), "10.0.0.0/99"),
        (lambda env: env.web_url("X", ""), "ftp://weir.example"),
        (lambda env: env.web_url("X", ""), "https://weir.example/path"),
        (lambda env: env.web_url("X", ""), "https://user@weir.example"),
        (lambda env: env.web_url("X", ""), "https://weir.example:99999"),
        (lambda env: env.database("X"), "mysql://127.0.0.1/weir"),
    ],
)
def test_a_wrong_value_is_refused_by_name(read: Callable[[Environment], object], value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="X"):
        read(Environment({"X": value}))


def test_a_database_url_is_decoded_and_only_tls_options_are_taken() -> None:
    found = Environment(
        {
            "DATABASE_URL": "postgresql://we%40ir:p%2Fw@db.example:5433/obs?sslmode=verify-full&options=-csearch_path%3Devil"
        }
    ).database("DATABASE_URL")
    assert found["USER"] == "we@ir"
    assert found["PASSWORD"] == "p/w"
    assert found["OPTIONS"] == {"sslmode": "verify-full"}


def test_secrets_are_found_by_name_and_inside_urls() -> None:
    env = Environment(
        {
            "SECRET_KEY": "k" * 40,
            "DATABASE_URL": "postgresql://weir:sesame%21@127.0.0.1/weir",
            "WEIR_KAFKA_PASSWORD": "kafkapass",
            "WEIR_HTTP_PORT": "8000",
        }
    )
    assert sorted(env.secrets()) == sorted(["k" * 40, "sesame!", "kafkapass"])


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["manage.py", "web"], "web"),
        (["/srv/weir/manage.py", "collect"], "collect"),
        (["manage.py", "migrate"], ""),
        (["/usr/lib/python3/site-packages/celery/__main__.py", "-A", "dashboard", "worker", "-P", "threads"], "worker"),
        (["/usr/lib/python3/site-packages/celery/__main__.py", "-A", "dashboard", "beat"], "beat"),
        (["pytest", "web"], ""),
        ([], ""),
    ],
)
def test_a_process_knows_which_part_it_is(arguments: list[str], part: str) -> None:
    assert process.part(arguments) == part


def test_s61_the_web_process_has_a_pool_and_a_short_statement_timeout_and_migrations_have_none() -> None:
    assert "statement_timeout=5s" in process.database_options("web")["options"]
    assert process.database_options("web")["pool"]["max_size"] == 16
    assert "statement_timeout=0s" in process.database_options("")["options"]
    assert "pool" not in process.database_options("collect")
