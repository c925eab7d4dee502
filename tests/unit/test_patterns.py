"""Our own regular expressions: each takes time that grows with the length of a text, whatever the text is."""

import re
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LENGTH = 20_000
MOST_SECONDS = 0.5  # of CPU; a pattern that goes back and forth over so much takes many times that, or for ever
Pattern = re.Pattern[str] | re.Pattern[bytes]
PIECES = (
    "a", "A", "0", "f", " ", "\t", "\n", ".", "-", "_", "/", ":", "=", "(", ")", "[", "{", "<", "$", "@", "%", "#", "*",
    '"', "'", "\\", "a.", "a-", "a b", "0.", "0-", "00-", "at a.b(", "at ", "{}", "[]", '"a"', "k=v,", "a:1 ",
    "Caused by: ", "\tat x.y(Z.java:1)\n", '  File "x", line 1, in y\n', "<a>", "é", "\x00", "$.a", "~0", "weir_api_",
)  # fmt: skip


def patterns() -> Iterator[tuple[str, Pattern, bool]]:
    """Name, pattern, and whether it is looked for at every place of a text."""
    for file in sorted([*ROOT.glob("collector/**/*.py"), *ROOT.glob("dashboard/**/*.py")]):
        source = file.read_text(encoding="utf-8")
        if "re.compile(" not in source:
            continue
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        for name, value in vars(import_module(module)).items():
            for each in value if isinstance(value, tuple) else (value,):
                if isinstance(each, re.Pattern):
                    used = re.findall(rf"\b{name}\.(\w+)\(", source)
                    is_sought = not isinstance(value, re.Pattern) or not {*used} <= {"match", "fullmatch"}
                    yield f"{module}.{name}", each, is_sought


def test_s55_every_pattern_of_ours_is_linear() -> None:
    known = {each.pattern: (name, each, is_sought) for name, each, is_sought in patterns()}
    assert len(known) > 20
    slow = [
        name for name, pattern, is_sought in known.values() if seconds_of(pattern, is_sought=is_sought) > MOST_SECONDS
    ]
    assert slow == []


def test_the_measure_finds_one_that_goes_back_and_forth() -> None:
    assert seconds_of(re.compile(r"a*a*b"), is_sought=False, length=3 * LENGTH) > MOST_SECONDS


def seconds_of(pattern: Pattern, *, is_sought: bool, length: int = LENGTH) -> float:
    """The longest that it takes over any of the texts."""
    worst = 0.0
    for piece in PIECES:
        text = (piece * (length // len(piece)))[:length]
        for whole in (text, f"{text}!", f"at {text}"):
            worst = max(worst, _took(pattern, whole, is_sought=is_sought))
            if worst > MOST_SECONDS:
                return worst
    return worst


def _took(pattern: Pattern, text: str, *, is_sought: bool) -> float:
    given = text if isinstance(pattern.pattern, str) else text.encode()
    began = time.process_time()
    pattern.fullmatch(given)  # type: ignore[arg-type]
    if is_sought:
        for _ in pattern.finditer(given):  # type: ignore[arg-type]
            pass
    return time.process_time() - began
