"""Stack traces of Java and Python as frames: which are the application's own, and which exception is behind which."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from collector.domain.texts import Piece, pieces

MOST_LINES = 2_000
MOST_LINE, MOST_CALLS = 300, 8_000  # characters of a line, and of all calls of an exception, worth remembering

# The modules before the class in one step, not one by one: a line of slashes must not take for ever.
_JAVA_FRAME = re.compile(r"\s+at (?:[\w.@/-]*/)?([\w$.<>-]+)\.([\w$<>-]+)\((?:([^():]{1,200})(?::(\d{1,9}))?)?\)?.*")
_JAVA_HEADING = re.compile(
    r"(?:\s*Caused by: |\s*Suppressed: |Exception in thread \"[^\"]*\" )?([A-Za-z_][\w.$]*)(?:: (.*))?"
)
_PYTHON_FRAME = re.compile(r'\s*File "([^"]+)", line (\d{1,9}), in (\S+)')
PYTHON_START = "Traceback (most recent call last):"
_PYTHON_HEADING = re.compile(r"([A-Za-z_][\w.]*)(?:: (.*))?")

_JAVA_FRAMEWORKS = (
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "groovy.",
    "org.springframework.",
    "org.apache.",
    "io.opentelemetry.",
    "io.micrometer.",
    "io.smallrye.",
    "io.quarkus.",
    "io.vertx.",
    "io.netty.",
    "io.micronaut.",
    "io.confluent.",
    "io.grpc.",
    "reactor.",
    "org.hibernate.",
    "org.jboss.",
    "org.eclipse.",
    "com.fasterxml.",
    "com.google.",
    "com.zaxxer.",
    "net.bytebuddy.",
    "org.aspectj.",
    "org.postgresql.",
    "org.slf4j.",
    "ch.qos.",
    "akka.",
    "zio.",
    "cats.",
)
_JAVA_MADE = ("$$", "$Proxy")  # proxies and lambdas' classes: made at run time, named differently each time
_PYTHON_FRAMEWORKS = re.compile(r"(?:^|[/\\])(?:site-packages|dist-packages|lib[/\\]python\d[\d.]*)[/\\]|^<frozen ")
_LAMBDA = re.compile(r"lambda\$([\w<>]+)\$\d+")


@dataclass(frozen=True, slots=True)
class Frame:
    """One call: the class or module it is in, the function, the line (None where it is not said), and its own text."""

    owner: str
    function: str
    line: int | None
    is_own: bool
    text: str

    def __str__(self) -> str:
        """Gateway.charge:88"""
        where = f"{self.owner.rpartition('.')[2].rpartition('$')[2]}.{self.function}"
        return where if self.line is None else f"{where}:{self.line}"


class Section(NamedTuple):  # as _Run: a frozen dataclass takes three times as long to make
    """One exception of a chain: its class and message as the trace says them, and its frames, innermost first.

    `own`: those of the application.
    """

    exception_class: str
    message: str
    frames: tuple[Frame, ...]
    own: tuple[Frame, ...]


class _Run(NamedTuple):
    """What stands behind a heading up to the next; the first of a text is behind none of its own."""

    heading: tuple[str, str] | None
    frames: tuple[Frame, ...] = ()
    own: tuple[Frame, ...] = ()


@dataclass(frozen=True, slots=True)
class _Calls:
    """What the lines behind a heading hold. `runs`: what they are where a heading stands before them."""

    runs: tuple[_Run, ...]
    n_feeds: int
    may_be_python: bool


class Trace(NamedTuple):
    """A stack as it was read: its text, that in pieces, and the exceptions in it."""

    text: str
    parts: Sequence[Piece]
    sections: tuple[Section, ...]


def trace(stack: str) -> Trace:
    """The stack with what it says: sections, from the exception that reached the top to the cause behind all."""
    parts = pieces(stack)
    return Trace(stack, parts, _sections(stack, parts))


def sections(stack: str) -> tuple[Section, ...]:
    """Those of `trace`. () for anything else."""
    return _sections(stack, pieces(stack))


def _sections(stack: str, parts: Sequence[Piece]) -> tuple[Section, ...]:
    calls = [None if each is None else _calls(each) for _, each in parts]
    n_feeds = len(parts) - 1 + sum([each.n_feeds + 1 for each in calls if each is not None])
    if any([each is not None and each.may_be_python for each in calls]) or any(
        [PYTHON_START in said for said, _ in parts]
    ):
        lines = stack.splitlines()[:MOST_LINES]
        if any(line.strip() == PYTHON_START for line in lines):
            return tuple(reversed(_python(lines)))
    if n_feeds >= MOST_LINES:
        parts = pieces("\n".join(stack.split("\n", MOST_LINES)[:MOST_LINES]))
        calls = [None if each is None else _calls(each) for _, each in parts]
    return tuple(_java(parts, calls))


def is_same_class(one: str, other: str) -> bool:
    """Whether two names can be the same class: traces may leave out packages and write `.` for `$`."""
    if one == other:
        return True
    one, other = one.replace("$", "."), other.replace("$", ".")
    return one == other or one.endswith("." + other) or other.endswith("." + one)


def of_exception(found: Sequence[Section], exception_class: str) -> Section | None:
    """The section that tells of this exception: the innermost of that class, else the innermost with own frames."""
    fitting = [
        section for section in found if exception_class and is_same_class(section.exception_class, exception_class)
    ]
    with_own = [section for section in found if section.own]
    for choice in ([section for section in fitting if section.own], with_own, fitting):
        if choice:
            return choice[-1]
    return found[-1] if found else None


def _java(parts: Sequence[Piece], calls: Sequence[_Calls | None]) -> list[Section]:
    """Frames belong to the heading before them."""
    found: list[Section] = []
    heading: tuple[str, str] | None = None
    frames: tuple[Frame, ...] = ()
    own: tuple[Frame, ...] = ()
    for run in _all_runs(parts, calls):
        if run.heading is None:
            frames, own = frames + run.frames, own + run.own
            continue
        if heading is not None:
            found.append(Section(*heading, frames, own))
        heading, frames, own = run
    if heading is not None or frames:
        found.append(Section(*(heading or ("", "")), frames, own))
    return [section for section in found if section.frames or section.exception_class]


def _all_runs(parts: Sequence[Piece], calls: Sequence[_Calls | None]) -> Iterator[_Run]:
    is_first = True
    for (said, text), known in zip(parts, calls, strict=True):
        for run in _runs(said, is_first=is_first):
            yield run
            is_first = is_first and run.heading is None
        if text is None or known is None:
            continue
        for run in _runs(text, is_first=True) if is_first else known.runs:
            yield run
            is_first = is_first and run.heading is None


def _runs(text: str, *, is_first: bool) -> tuple[_Run, ...]:
    """Each heading with the frames behind it; before the first those without one. `is_first`: none was found before."""
    lines = text.splitlines()
    if len(lines) == 1 and not lines[0][:1].isspace():  # as nearly all that is said
        named = _java_heading(lines[0], is_first=is_first)
        return () if named is None else (_Run(named),)
    found: list[_Run] = []
    heading: tuple[str, str] | None = None
    frames: list[Frame] = []
    for line in lines:
        if line[:1].isspace() and (frame := _frame_of(line)) is not None:
            frames.append(frame)
        elif (named := _java_heading(line, is_first=is_first and heading is None)) is not None:
            if heading is not None or frames:
                found.append(_run(heading, frames))
            heading, frames = named, []
    if heading is not None or frames:
        found.append(_run(heading, frames))
    return tuple(found)


def _run(heading: tuple[str, str] | None, frames: Sequence[Frame]) -> _Run:
    return _Run(heading, tuple(frames), tuple([each for each in frames if each.is_own]))


def _calls(text: str) -> _Calls:
    return _known_calls(text) if len(text) <= MOST_CALLS else _read_calls(text)


def _read_calls(text: str) -> _Calls:
    return _Calls(_runs(text, is_first=False), text.count("\n"), PYTHON_START in text)


_known_calls = lru_cache(maxsize=256)(_read_calls)


def _frame_of(line: str) -> Frame | None:
    return _known_frame(line) if len(line) <= MOST_LINE else _java_frame(line)


def _java_heading(line: str, *, is_first: bool) -> tuple[str, str] | None:
    """A message may run over lines, so only the first line and those that say "Caused by" start a section."""
    if not is_first and not line.lstrip().startswith("Caused by: "):
        return None
    found = _JAVA_HEADING.fullmatch(line)
    return (found[1], (found[2] or "").strip()) if found else None


def _java_frame(line: str) -> Frame | None:
    found = _JAVA_FRAME.fullmatch(line)
    if found is None:
        return None
    owner, function = found[1], _LAMBDA.sub(r"\1", found[2])
    is_own = not owner.startswith(_JAVA_FRAMEWORKS) and not any(made in owner for made in _JAVA_MADE)
    return Frame(owner, function, int(found[4]) if found[4] else None, is_own, line.strip())


_known_frame = lru_cache(maxsize=4_096)(_java_frame)  # letters of one failure died in the same lines


def _python(lines: Sequence[str]) -> list[Section]:
    found: list[Section] = []
    frames: list[Frame] | None = None
    for line in lines:
        if line.strip() == PYTHON_START:
            frames = []
        elif frames is not None and (frame := _PYTHON_FRAME.match(line)):
            frames.append(_python_frame(line, frame))
        elif frames is not None and not line.startswith(" ") and (named := _PYTHON_HEADING.fullmatch(line.strip())):
            found.append(_section(named[1], (named[2] or "").strip(), tuple(reversed(frames))))
            frames = None
    if frames:
        found.append(_section("", "", tuple(reversed(frames))))
    return found


def _section(exception_class: str, message: str, frames: tuple[Frame, ...]) -> Section:
    return Section(exception_class, message, frames, tuple([each for each in frames if each.is_own]))


def _python_frame(line: str, found: re.Match[str]) -> Frame:
    path = found[1]
    module = re.split(r"[/\\]", path)[-1].removesuffix(".py")
    return Frame(module, found[3].rpartition(".")[2], int(found[2]), not _PYTHON_FRAMEWORKS.search(path), line.strip())
