"""What the sampler remembers, and what it does not."""

from collector.domain.brokers import GroupProtocol
from collector.sampling.memory import Group, Memory, Pair
from collector.sampling.names import forget_dead


def test_groups_that_are_gone_are_forgotten_when_nothing_they_read_is_left() -> None:
    groups = {
        name: Group(number, state, GroupProtocol.CLASSIC)
        for number, (name, state) in enumerate(
            [("here", "Stable"), ("by spans", ""), ("gone", "Dead"), ("going", "Dead")]
        )
    }
    pair = Pair((1,), None, None, 0.0, None, None, None)
    known = Memory(1, {}, groups, {}, {(7, 3): pair}, {}, None)
    forget_dead(known)
    assert set(known.groups) == {"here", "by spans", "going"}
    known.pairs.clear()
    forget_dead(known)
    assert set(known.groups) == {"here", "by spans"}
