"""What a path quotes of records, without what mask rules hide in any of them."""

from collections.abc import Mapping
from dataclasses import replace

from dashboard.queries import hiding
from dashboard.queries.hiding import Address, Veil
from dashboard.queries.paths import Hop, Lineage


def veils_of(found: Address | None, lineage: Lineage) -> Mapping[Address, Veil]:
    """The veils over the record that was asked for, and over those whose readers failed and said something.

    One statement where there are mask rules, else none.
    """
    quoted = {at for hop in lineage.hops if hop.exception_message and (at := address_of(hop))}
    return hiding.veils({*quoted, *([found] if found else [])})


def fit_to_see(lineage: Lineage, veils: Mapping[Address, Veil]) -> Lineage:
    """The path with the reasons of failures as everybody may read them.

    A reason may quote what was read, or anything that it came from; where nobody kept the bytes of a record that rules
    are meant for, nothing tells what of its reason is a copy, so all of it hides.
    """
    if not any(hop.exception_message for hop in lineage.hops):
        return lineage
    return replace(lineage, hops=tuple(_fit(hop, veils) for hop in lineage.hops))


def _fit(hop: Hop, veils: Mapping[Address, Veil]) -> Hop:
    if not hop.exception_message:
        return hop
    at = address_of(hop)
    own = veils.get(at) if at else None
    text = (own or Veil(hiding.aim_for(hop.topic_name))).text(hop.exception_message)
    for veil in veils.values():
        if veil.seen is not None and text:
            text = veil.seen.said(text)
    return hop if text == hop.exception_message else replace(hop, exception_message=text)


def address_of(hop: Hop) -> Address | None:
    """Where the record lies that the hop speaks of, where that is known."""
    if hop.cluster is None or hop.topic_name is None or hop.partition is None or hop.offset is None:
        return None
    return hop.cluster, hop.topic_name, hop.partition, hop.offset
