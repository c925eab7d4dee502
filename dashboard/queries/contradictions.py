"""Where two sources say different things of one edge."""


def of_traced(group: str | None, *, committed: bool, scanned: bool) -> tuple[str, ...]:
    """Of an edge that spans tell of. `committed`: the broker knows commits of that group on that topic."""
    if group is not None and scanned and not committed:
        return (f"Traces say it reads as {group}; the broker knows no commit of {group} on this topic",)
    return ()


def of_offsets(state: str, *, moved: bool) -> tuple[str, ...]:
    """Of an edge that commits tell of: the group's state now, and whether its offsets moved in the last minute."""
    if moved and state.lower() == "empty":
        return ("Its offsets move, yet it has no members: it takes its partitions by itself, or others commit for it",)
    return ()
