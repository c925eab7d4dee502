"""Who owns what: declared entries, and what resources say."""

import tomllib

import pytest

from collector.config.document import read
from collector.config.owners import Owner
from collector.domain.ownership import LONGEST, owned
from dashboard.queries.owners import web_link

FILE = """
[owners.payments]
services = ["billing-svc", "shop/ledger-*"]
topics = ["payments.*"]
groups = ["billing"]
team = "payments"
runbook = "https://wiki.example/payments"
"""


def problems(text: str) -> list[str]:
    return [f"{each.key} {each.sentence}" for each in read(tomllib.loads(text))[1]]


def test_an_entry_is_read_and_fits_by_name_before_pattern() -> None:
    found, wrong = read(tomllib.loads(FILE))
    assert wrong == ()
    entry = found.owners["payments"]
    assert entry.facts == {"team": "payments", "runbook": "https://wiki.example/payments"}
    fits = [entry.fits("services", name) for name in ("billing-svc", "shop/ledger-svc", "mailer")]
    assert fits[0] > fits[1] > fits[2] == 0
    assert entry.fits("topics", "billing") == 0
    assert Owner("none").fits("topics", "x") == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[owners.a]\nteam = "x"', "owners.a owns nothing: give services, topics, groups"),
        ('[owners.a]\ntopics = ["*"]', "owners.a says nothing: give owner, team, domain, repo, runbook, on_call"),
        ('[owners.a]\ntopics = ["-*"]\nteam = "x"', "owners.a.topics number 1 must be a pattern of at most"),
        ('[owners.a]\ntopics = ["*"]\nteam = 3', "owners.a.team must be a text"),
        ('[owners.a]\ntopics = ["*"]\nteams = "x"', "owners.a.teams is not known here; did you mean team?"),
        (f'[owners.a]\ntopics = ["*"]\nteam = "{"x" * 301}"', f"owners.a.team must have at most {LONGEST} characters"),
        ("owners = 3", "owners must be tables with names"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(text: str, problem: str) -> None:
    assert any(each.startswith(problem) for each in problems(text)), problems(text)


def test_a_resource_says_who_owns_its_service() -> None:
    told = owned(
        {
            "service.name": "billing-svc",
            "service.owner": " ada ",
            "team": "payments",
            "vcs.repository.url.full": "https://git.example/billing",
            "service.runbook.url": 7,
            "service.on_call": "x" * 400,
            "service.team": "\x00bad",
        }
    )
    assert told["owner"] == "ada"
    assert told["team"] == "\ufffdbad"
    assert told["repo"] == "https://git.example/billing"
    assert "runbook" not in told
    assert len(told["on_call"]) == LONGEST


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        " java\tscript:alert(1)",
        "//evil.example",
        "\\\\evil.example",
        "data:text/html,x",
        "https://",
        "https://ada:secret@evil.example",
        "https://wiki.example/run book",
        "",
    ],
)
def test_s4_a_typed_link_that_is_not_http_leads_nowhere(url: str) -> None:
    assert web_link(url) == ""


def test_s4_a_typed_web_link_stays() -> None:
    assert web_link("https://wiki.example/runbook") == "https://wiki.example/runbook"
