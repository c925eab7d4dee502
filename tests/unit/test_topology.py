"""When a delivery without a group is explained by membership, and which times are believed."""

from datetime import UTC, datetime

import pytest

from collector.domain.topology import Reader, explaining_group

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BILLING, SHIPPING = Reader(1, "billing-1", "10.0.0.1"), Reader(2, "shipping-1", "10.0.0.2")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"billing-1"}, 1),
        ({"10.0.0.2"}, 2),
        ({"billing-1", "shipping-1"}, None),  # two fit: never guessed
        ({"mailer"}, None),
        (set(), None),
    ],
)
def test_only_the_one_group_that_fits_explains(names: set[str], expected: int | None) -> None:
    assert explaining_group([BILLING, SHIPPING], names=names) == expected


def test_several_members_of_one_group_are_one_group() -> None:
    assert explaining_group([BILLING, Reader(1, "billing-2", "10.0.0.1")], names={"10.0.0.1"}) == 1
