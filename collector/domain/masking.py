"""What of a record is dropped before it is stored, and what nobody gets to see of what is stored.

Both go by the same rules: JSON paths of the value, names of headers, the key. A value that such a rule is meant for
and that cannot be read as JSON goes or hides as a whole: what cannot be looked into is not shown to be harmless. So it
is where more texts are masked than can be looked for.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from collector.domain import json_paths, json_values
from collector.domain.copies import MASK as MASK  # also for who shows what is masked
from collector.domain.copies import Copies
from collector.domain.globs import matches
from collector.domain.json_paths import GONE, Path
from collector.domain.json_values import Json, NotJson
from collector.domain.records import Headers, Record
from collector.domain.texts import Piece, pieces

SHORTEST_COPY = 4  # characters of a masked text that is looked for elsewhere: shorter ones are everywhere
MOST_CHANGES = 100_000  # topics whose rules are remembered

# Secrets by their shape, in texts that people wrote for people: exceptions, stacks.
_Shape = tuple[str, re.Pattern[str], str]
_SHAPES: tuple[_Shape, ...] = (  # what a text must hold to have it ("" any), its shape, and what is shown
    ("eyJ", re.compile(r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?"), MASK),
    ("", re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {MASK}"),
    ("://", re.compile(r"(\w{1,20}://)[^\s/:@]{1,100}:[^\s/@]{1,200}@"), rf"\1{MASK}@"),
)
_IN_LINES = tuple(shape for shape in _SHAPES if shape[0])  # all but the one that may run over lines
MOST_LINE, MOST_CALLS = 300, 8_000  # characters of a line, and of all calls of an exception, worth remembering
_MANY_DIGITS = re.compile(r"\d(?:[ -]?\d){12}")  # every card has them, and they are found sooner
_CARD = re.compile(r"(?<![\d.])(?:\d[ -]?){12,18}\d(?![\d.])")


@dataclass(frozen=True, slots=True)
class Aim:
    """What the rules of one topic are meant for, all together. Header names are in lower case.

    `attributes` are names of attributes of spans; an aim at nothing else is none at records.
    """

    paths: tuple[Path, ...] = ()
    headers: frozenset[str] = frozenset()
    key: bool = False
    attributes: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.paths or self.headers or self.key)

    def __or__(self, other: "Aim") -> "Aim":
        paths = tuple(dict.fromkeys((*self.paths, *other.paths)))
        return Aim(paths, self.headers | other.headers, self.key or other.key, self.attributes | other.attributes)


NOTHING = Aim()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: patterns of topics, what it is meant for, and what people call it."""

    topics: Sequence[str]
    aim: Aim
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a kind. Which of them count for a topic is remembered."""

    all: Sequence[Rule] = ()
    _of: dict[str, Aim] = field(default_factory=dict, compare=False, repr=False)

    def of(self, *topics: str | None) -> Aim:
        """What the rules for these topics are meant for, together."""
        found = NOTHING
        if self.all:
            for topic in topics:
                found = found | self._one(topic) if topic else found
        return found

    def names_of(self, *topics: str | None) -> tuple[str, ...]:
        """What the rules are called that are meant for records of these topics."""
        return tuple(
            rule.name
            for rule in self.all
            if rule.aim and rule.name and any(topic and matches(topic, rule.topics) for topic in topics)
        )

    def attributes_of(self, topic: str | None) -> frozenset[str]:
        """Names of masked attributes of a span; of one that names no topic those of all rules."""
        if topic is not None:
            return self.of(topic).attributes
        return frozenset[str]().union(*(rule.aim.attributes for rule in self.all))

    def _one(self, topic: str) -> Aim:
        if topic not in self._of:
            if len(self._of) > MOST_CHANGES:
                self._of.clear()
            found = NOTHING
            for rule in self.all:
                if matches(topic, rule.topics):
                    found = found | rule.aim
            self._of[topic] = found
        return self._of[topic]


@dataclass(frozen=True, slots=True)
class Concealed:
    """A record as people may see it. `secrets`: masked texts that must not be seen anywhere else.

    `value_is_hidden`: nothing of the value is shown, because it cannot be looked into.
    """

    key: bytes | None
    value: bytes | None
    headers: Headers
    value_is_hidden: bool
    secrets: Sequence[str]

    def said(self, text: str) -> str:
        """A text that came with the record, such as its exception's message, without the secrets."""
        return Copies(self.secrets).without(text)


def dropped(record: Record, aim: Aim) -> tuple[Record, bool]:
    """The record without what is dropped, and whether its value can still be kept.

    Copies of what was dropped go from the rest of the record, too.
    """
    secrets = _named_texts(aim, record.key, record.headers)
    copies = Copies(secrets)
    value, is_readable = record.value, True
    if aim.paths and value:
        try:
            tree, found = _changed(json_values.loads(value), aim.paths, GONE)
        except NotJson:
            value, is_readable = None, False
        else:
            copies = Copies(secrets | found)
            value = json_values.dumps(_cleaned_tree(tree, copies)).encode()
    else:
        value = _cleaned_value(value, copies)
    if copies.are_too_many:
        value, is_readable = None, False
    kept = tuple((name, held) for name, held in record.headers if name.lower() not in aim.headers)
    cleaned = replace(
        record,
        key=None if aim.key else _cleaned(record.key, copies),
        value=value,
        headers=tuple((name, _cleaned(held, copies)) for name, held in kept),
    )
    return cleaned, is_readable


def concealed(aim: Aim, *, key: bytes | None, value: bytes | None, headers: Headers) -> Concealed:
    """What of a record may be seen."""
    secrets = _named_texts(aim, key, headers)
    copies = Copies(secrets)
    is_hidden, shown = False, value
    if aim.paths and value:
        try:
            tree, found = _changed(json_values.loads(value), aim.paths, MASK)
        except NotJson:
            is_hidden, shown = True, MASK.encode()
        else:
            copies = Copies(secrets | found)
            shown = json_values.dumps(_cleaned_tree(tree, copies)).encode()
    else:
        shown = _cleaned_value(value, copies)
    if copies.are_too_many and value:
        is_hidden, shown = True, MASK.encode()
    return Concealed(
        key=_hidden(key) if aim.key else _cleaned(key, copies),
        value=shown,
        headers=tuple(
            (name, _hidden(held) if name.lower() in aim.headers else _cleaned(held, copies)) for name, held in headers
        ),
        value_is_hidden=is_hidden,
        secrets=copies.secrets,
    )


def concealed_attributes(names: Collection[str], attributes: Mapping[str, Json]) -> dict[str, Json]:
    """Attributes of a span as people may see them: what is named hides, and so do copies of it in the others."""
    if not names:
        return dict(attributes)
    hidden = [str(leaf) for name in names for leaf in json_values.leaves(attributes.get(name))]
    copies = Copies({text for text in hidden if len(text) >= SHORTEST_COPY})
    return {
        name: MASK if name in names else _cleaned_tree(value, copies) if copies else value
        for name, value in attributes.items()
    }


def masked_texts(aim: Aim, *, key: bytes | None, value: bytes | None, headers: Headers) -> set[str]:
    """Every text that is masked, however short: nothing may be found by it."""
    named = [held for name, held in headers if name.lower() in aim.headers]
    named += [key] if aim.key else []
    found = {raw.decode("utf-8", "replace") for raw in named if raw}
    if aim.paths and value:
        try:
            tree = json_values.loads(value)
        except NotJson:
            return found
        _changed(tree, aim.paths, MASK, note=found.update)
    return found


def without_shapes(text: str, *, parts: Sequence[Piece] | None = None) -> str:
    """Without what is a secret by its shape: tokens, passwords in addresses, cards. `parts`: its texts.pieces."""
    shown, is_same = [], True
    for said, calls in pieces(text) if parts is None else parts:
        line = line_without_shapes(said)
        behind = None if calls is None else _known_calls(calls) if len(calls) <= MOST_CALLS else _of_calls(calls)
        if line is None or (behind is None and calls is not None):
            return _without_shapes(text)
        is_same = is_same and line == said and behind == calls
        shown += [line] if behind is None else [line, behind]
    return text if is_same else "\n".join(shown)


def line_without_shapes(said: str) -> str | None:
    """A line, or None where it holds the beginning of the one shape that may run over lines; the same for several."""
    folded = said.lower() if said.isascii() else said.casefold()
    return None if "bearer" in folded or "basic" in folded else _without_shapes(said, _IN_LINES)


def _of_calls(calls: str) -> str | None:
    """Lines, or None as above."""
    shown = [_known_line(line) if len(line) <= MOST_LINE else line_without_shapes(line) for line in calls.split("\n")]
    return None if None in shown else "\n".join([line for line in shown if line is not None])


def _without_shapes(text: str, shapes: Sequence[_Shape] = _SHAPES) -> str:
    for held, pattern, word in shapes:
        if held in text:
            text = pattern.sub(word, text)
    if not _MANY_DIGITS.search(text):
        return text
    return _CARD.sub(lambda found: MASK if _is_card(found.group()) else found.group(), text)


_known_line = lru_cache(maxsize=4_096)(line_without_shapes)
_known_calls = lru_cache(maxsize=256)(_of_calls)


def _changed(
    tree: Json, paths: Iterable[Path], instead: object, *, note: Callable[[list[str]], None] | None = None
) -> tuple[Json, set[str]]:
    """The tree with `instead` at the paths, also within texts that hold JSON themselves; and what stood there."""
    gone: list[str] = []

    def change(value: Json) -> Json:
        gone.extend(json_values.leaves(value))
        return instead

    def everywhere(node: Json) -> Json:
        for path in paths:
            node = json_paths.changed(node, path, change)
        return node

    tree = _within_texts(everywhere(tree), everywhere)
    if note is not None:
        note(gone)
    return tree, {text for text in gone if len(text) >= SHORTEST_COPY and text != MASK}


def _within_texts(node: Json, everywhere: Callable[[Json], Json]) -> Json:
    """One level: JSON in a text of the value, as outbox tables and wrappers make it."""
    if isinstance(node, dict):
        return {name: _within_texts(held, everywhere) for name, held in node.items()}
    if isinstance(node, list):
        return [_within_texts(held, everywhere) for held in node]
    if not isinstance(node, str) or not json_values.may_be_json(node):
        return node
    try:
        inner = json_values.loads(node)
    except NotJson:
        return node
    changed = everywhere(inner)
    return node if changed == inner else json_values.dumps(changed)


def _named_texts(aim: Aim, key: bytes | None, headers: Headers) -> set[str]:
    """The texts of the key and the headers that a rule names."""
    named = [held for name, held in headers if name.lower() in aim.headers]
    named += [key] if aim.key else []
    return {text for raw in named if (text := _text(raw))}


def _cleaned(raw: bytes | None, copies: Copies) -> bytes | None:
    """Bytes without the secrets, as they are and as JSON writes them."""
    if not raw or not copies:
        return raw
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "surrogateescape")
    return copies.without(text).encode("utf-8", "surrogateescape")


def _cleaned_value(value: bytes | None, copies: Copies) -> bytes | None:
    """A value without the secrets; byte for byte as it was where it holds none."""
    if not value or not copies or not json_values.may_be_json(value):
        return _cleaned(value, copies)
    try:
        tree = json_values.loads(value)
    except NotJson:
        return _cleaned(value, copies)
    cleaned = _cleaned_tree(tree, copies)
    return value if cleaned == tree else json_values.dumps(cleaned).encode()


def _cleaned_tree(node: Json, copies: Copies) -> Json:
    """The tree without the secrets: in texts, in names, and numbers that are one."""
    if isinstance(node, dict):
        return {copies.without(name): _cleaned_tree(held, copies) for name, held in node.items()}
    if isinstance(node, list):
        return [_cleaned_tree(held, copies) for held in node]
    if isinstance(node, str):
        return copies.without(node)
    if node is None or isinstance(node, bool):
        return node
    text = json_values.dumps(node)
    return node if copies.without(text) == text else MASK


def _hidden(raw: bytes | None) -> bytes | None:
    return MASK.encode() if raw else raw


def _text(raw: bytes | None) -> str:
    """The text of a key or header, where it is long enough to be told apart."""
    try:
        text = (raw or b"").decode()
    except UnicodeDecodeError:
        return ""
    return text if len(text) >= SHORTEST_COPY else ""


def _is_card(text: str) -> bool:
    """Luhn's check, which one number in ten passes by chance."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = [each if number % 2 == 0 else each * 2 - 9 * (each > 4) for number, each in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
