"""Nothing of ours turns text into markup or code, or leaves a form without its token (docs/security.md S1, S2, S10)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = r"\b(mark_safe|SafeString|SafeText|csrf_exempt|RawSQL|pickle|eval|exec)\b|\.extra\("
TEMPLATE = r"\|\s*safe\b|autoescape\s+off|\bon[a-z]+\s*=\s*[\"']|\bstyle\s*=|javascript:|<style|<iframe|<object|<base\b"
SCRIPT = (
    r"\.(innerHTML|outerHTML|srcdoc)\b|insertAdjacentHTML|document\.write|createContextualFragment|foreignObject"
    r"|\beval\(|new Function|setHTMLUnsafe|parseHTMLUnsafe|setAttribute\(\s*[\"'`]on|javascript:"
)
GROUP = r"\)(?:[*+?]|\{\d*,?\d*\})\+(?=[^\n]*['\"])"
POLICY = r"createPolicy|createHTML|DOMParser"


def found(folder: str, glob: str, pattern: str) -> list[str]:
    """Where the pattern stands, as path: text."""
    return [
        f"{file.relative_to(ROOT)}: {hit.group()}"
        for file in sorted((ROOT / folder).rglob(glob))
        for hit in re.finditer(pattern, file.read_text())
    ]


def test_s1_s10_no_python_of_the_dashboard_marks_text_as_markup_or_drops_the_csrf_check() -> None:
    assert found("dashboard", "*.py", PYTHON) == []


def test_s1_no_template_leaves_text_unescaped_or_holds_code() -> None:
    assert found("templates", "*.html", TEMPLATE) == []
    scripts = found("templates", "*.html", r"<script\b(?![^>]*\bsrc=)")
    assert scripts == [], "only json_script and the import map make script elements without a file"


def test_s2_no_script_has_a_sink_and_markup_is_parsed_in_one_place() -> None:
    assert found("static/js", "*.js", SCRIPT) == []
    assert {hit.split(":")[0] for hit in found("static/js", "*.js", POLICY)} == {"static/js/lib/swap.js"}


def test_s10_every_form_that_posts_has_its_token() -> None:
    without = []
    for file in sorted((ROOT / "templates").rglob("*.html")):
        for form in re.findall(
            r"<form\b[^>]*method=.post[^>]*>.*?</form>", file.read_text(), re.DOTALL | re.IGNORECASE
        ):
            if "{% csrf_token %}" not in form:
                without.append(str(file.relative_to(ROOT)))
    assert without == []


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python 3.11.0 to 3.11.4 take such patterns for not fitting where they fit (CPython issue 106052)."""
    everywhere = [hit for folder in ("collector", "dashboard", "demo", "stack") for hit in found(folder, "*.py", GROUP)]
    assert everywhere == []
