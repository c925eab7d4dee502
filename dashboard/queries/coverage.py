"""How much of what services read has spans, beside what their groups committed as the brokers tell."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from dashboard.queries.edges import CONSUME
from dashboard.queries.graph import Facts
from dashboard.queries.readers import Share

Pair = tuple[int, int]  # topic id, group id


def coverage(known: Facts) -> Mapping[int, Share]:
    """By the number of every service that reads as a group which is known.

    Of several services that read as one group, each has the share of all: a broker does not tell them apart.
    """
    counted: dict[Pair, int] = defaultdict(int)
    pairs: dict[int, set[Pair]] = defaultdict(set)
    for each in known.spans:
        if each.kind == CONSUME and each.group_id is not None:
            counted[each.topic_id, each.group_id] += each.messages
            pairs[each.service_id].add((each.topic_id, each.group_id))
    return {service: _share(own, counted, known) for service, own in pairs.items()}


def untraced(known: Facts) -> Mapping[str, Share]:
    """The same of groups that no service explains, by id: none of it."""
    read = {(each.topic_id, each.group_id) for each in known.spans if each.kind == CONSUME}
    pairs: dict[str, set[Pair]] = defaultdict(set)
    for pair in known.groups:
        if pair not in read and pair[1] in known.names.groups:
            pairs[known.names.groups[pair[1]].id].add(pair)
    return {identity: _share(own, {}, known) for identity, own in pairs.items()}


def _share(pairs: Iterable[Pair], counted: Mapping[Pair, int], known: Facts) -> Share:
    """What was delivered twice has more spans than offsets: it makes up for nothing that was missed elsewhere."""
    told = [
        (min(counted.get(pair, 0), progress.messages), progress.messages)
        for pair in pairs
        if (progress := known.groups.get(pair)) is not None and progress.messages is not None
    ]
    return Share(sum(traced for traced, _ in told), sum(n for _, n in told)) if told else Share(None, None)
