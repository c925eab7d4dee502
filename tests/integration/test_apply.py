"""`manage.py apply`."""

from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from collector.config import declared
from tests.integration.people import audit_rows

pytestmark = pytest.mark.usefixtures("clean_tables")

FILE = """
[clusters.prod]
bootstrap = "127.0.0.1:9092"
sasl = "plain"
username = "weir"
password = "env:WEIR_SECRET_NOT_SET_HERE"

[taps]
payloads = ["orders.*"]

[mask.people]
topics = ["*"]
paths = ["$.customer.email"]
"""


def apply(file: Path, *arguments: str) -> str:
    out = StringIO()
    call_command("apply", str(file), *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "weir.toml"
    path.write_text(FILE)
    return path


def test_a_file_is_applied_once_audited_and_shown_as_it_changes(file: Path) -> None:
    before = declared.version()
    assert apply(file).splitlines() == [
        "+ [clusters.prod]",
        "+ [mask.people]",
        "+ [taps]",
        "Note: WEIR_SECRET_NOT_SET_HERE is not set here. Collector, sampler and worker need it in their environment.",
        "weir.W210: Retries to prod are sent as the Kafka user that reads. Name retry_username or retry_certificate;"
        " who reads then needs no right to write.",
    ]
    assert declared.document().clusters["prod"].username == "weir"
    assert apply(file).startswith("Nothing to change.")
    assert declared.version() == before + 1
    file.write_text(FILE.replace('"orders.*"', '"orders.*", "payments.*"').replace("[mask.people]", "[mask.persons]"))
    assert apply(file).splitlines()[:-2] == [
        "- [mask.people]",
        "+ [mask.persons]",
        "~ [taps]",
        '    payloads: ["orders.*"] → ["orders.*", "payments.*"]',
    ]
    assert audit_rows("action", "object", "result", "facts ->> 'changes'") == [
        ("apply settings", "weir.toml", "done", '["+clusters.prod", "+mask.people", "+taps"]'),
        ("apply settings", "weir.toml", "done", '["-mask.people", "+mask.persons", "~taps"]'),
    ]


def test_a_check_shows_the_difference_and_changes_nothing(file: Path) -> None:
    with pytest.raises(CommandError, match="differs in 3 tables") as differs:
        apply(file, "--check")
    assert differs.value.returncode == 1
    assert (declared.body(), audit_rows("action")) == ({}, [])
    apply(file)
    assert apply(file, "--check") == "Nothing to change.\n"


def test_every_problem_is_told_with_its_line_and_nothing_is_applied(file: Path) -> None:
    file.write_text(FILE.replace('"plain"', '"magic"').replace("$.customer.email", "customer.email"))
    with pytest.raises(CommandError) as refused:
        apply(file)
    lines = str(refused.value).splitlines()
    assert lines[0].startswith("weir.toml:4: clusters.prod.sasl must be one of")
    assert any(line.startswith("weir.toml:13: mask.people.paths number 1 is no path.") for line in lines)
    assert declared.body() == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[x\n", "weir.toml is no TOML: .*line 1"),
        (b"\xff", "is no UTF-8"),
        (b"a=1\na=2", "is no TOML"),
        (b"a=" + b"[" * 50_000, "nested too deep"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(file: Path, text: bytes, said: str) -> None:
    file.write_bytes(text)
    with pytest.raises(CommandError, match=said):
        apply(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"none\.toml cannot be read: No such file"):
        apply(tmp_path / "none.toml")


def test_s46_clusters_whose_retries_are_sent_as_the_user_that_reads_are_named(
    tmp_path: Path, settings: LazySettings
) -> None:
    path = tmp_path / "weir.toml"
    signs_in = 'bootstrap = "{}.example:9093"\ntls = true\nsasl = "scram-sha-512"\nusername = "weir"\n{}'
    password = 'password = "env:WEIR_SECRET_{}"\n'
    one_user = signs_in.format("west", password.format("WEST"))
    path.write_text(f"[clusters.west]\n{one_user}")
    said = "weir.W210: Retries to west are sent as the Kafka user that reads."
    assert said in apply(path)
    settings.WEIR_RETRY_USERNAME = "weir-retries"
    assert "W210" not in apply(path)
    two_users = signs_in.format("east", password.format("EAST"))
    two_users += 'retry_username = "weir-retries"\nretry_password = "env:WEIR_SECRET_EAST_RETRY"\n'
    path.write_text(
        f'[clusters.west]\n{one_user}[clusters.east]\n{two_users}[clusters.open]\nbootstrap = "open.example:9092"\n'
    )
    assert [line for line in apply(path).splitlines() if "W210" in line] == [
        f"{said} Name retry_username or retry_certificate; who reads then needs no right to write."
    ]
