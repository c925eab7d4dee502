"""What the docs name exists, and what exists is named in them."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(file.read_text() for file in DOCS)
_SETTING = re.compile(r"\bWEIR_[A-Z0-9]+(?:_[A-Z0-9]+)*")
_READ = re.compile(r"""["'](WEIR_[A-Z0-9_]+[A-Z0-9])["']""")
# Read by code, but no setting for people: names of families, and what tests and benchmarks use.
_NO_SETTING = {"WEIR_KAFKA", "WEIR_SPOOL", "WEIR_TLS", "WEIR_OTLP_TLS", "WEIR_DEVICE_COOKIE_NAME", "WEIR_CHROMIUM"}


def known() -> set[str]:
    """Every setting that some module reads."""
    files = [
        *ROOT.glob("dashboard/*.py"),
        *ROOT.glob("collector/**/*.py"),
        *ROOT.glob("stack/*.py"),
        *ROOT.glob("demo/*.py"),
    ]
    found = {name for file in files for name in _READ.findall(file.read_text())}
    return {name for name in found if not name.startswith("WEIR_SECRET_")} - _NO_SETTING


def test_every_setting_is_in_the_docs() -> None:
    assert sorted(known() - set(_SETTING.findall(TEXT))) == []


def test_every_setting_in_the_docs_exists() -> None:
    named = {name if name in known() else name.removesuffix("_FILE") for name in _SETTING.findall(TEXT)}
    invented = {name for name in named if f"{name}_".startswith("WEIR_SECRET_")}  # names that people choose
    assert sorted(named - known() - invented) == []


def test_every_command_in_the_docs_exists_and_the_reverse() -> None:
    ours = {name for name, app in get_commands().items() if app in {"collector", "dashboard"}}
    named = set(re.findall(r"manage\.py ([a-z_]+)", TEXT)) - {"migrate", "help"}
    assert sorted(named - ours) == []
    assert sorted(name for name in ours if not re.search(rf"\b{name}\b", TEXT)) == []


def test_every_make_target_in_the_docs_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*(?: [a-z][a-z-]*)*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known_targets = {word for line in targets for word in line.split()}
    assert sorted(set(re.findall(r"`make ([a-z-]+)", TEXT)) - known_targets) == []


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_every_link_leads_somewhere(file: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", file.read_text())
    assert [link for link in links if not (file.parent / link).exists()] == []


def test_every_rule_of_security_that_code_and_tests_name_is_told_and_the_reverse() -> None:
    told = set(re.findall(r"\bS\d{1,2}\b", (ROOT / "docs" / "security.md").read_text()))
    code = [
        file
        for folder in ("collector", "dashboard", "stack", "demo", "static", "templates")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in {".py", ".js", ".html"}
    ]
    named = {rule for file in code for rule in re.findall(r"\bS\d{1,2}\b", file.read_text())}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for numbers in re.findall(r"def test_((?:s\d+_)+)", file.read_text()):
            named |= {number.upper() for number in numbers.strip("_").split("_")}
    assert sorted(named - told) == []
    assert sorted(told - named) == []
