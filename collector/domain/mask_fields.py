"""What a mask hides, field by field, as people name it; and the mask without some of its fields."""

from collections.abc import Collection
from dataclasses import replace

from collector.domain.json_paths import written
from collector.domain.masking import Aim

KEY, HEADER, ATTRIBUTE = "key", "header ", "attribute "


def fields(aim: Aim) -> tuple[str, ...]:
    """The key, headers and attributes by their names, paths of the value as they are written."""
    return (
        *([KEY] if aim.key else []),
        *(f"{HEADER}{name}" for name in sorted(aim.headers)),
        *(written(path) for path in aim.paths),
        *(f"{ATTRIBUTE}{name}" for name in sorted(aim.attributes)),
    )


def without(aim: Aim, shown: Collection[str]) -> Aim:
    """What is still hidden while these fields are shown."""
    if not shown:
        return aim
    return replace(
        aim,
        paths=tuple(path for path in aim.paths if written(path) not in shown),
        headers=frozenset(name for name in aim.headers if f"{HEADER}{name}" not in shown),
        key=aim.key and KEY not in shown,
        attributes=frozenset(name for name in aim.attributes if f"{ATTRIBUTE}{name}" not in shown),
    )
