"""The orders that customers place: a pure function of a seed and a number, so that a run can be repeated."""

import random
from dataclasses import dataclass
from typing import Any

# Test numbers that card schemes publish. The last two brands are those that billing trips over.
CARDS = (
    ("visa", "4111111111111111", 0.60),
    ("mastercard", "5555555555554444", 0.25),
    ("amex", "378282246310005", 0.11),
    ("diners", "30569309025904", 0.025),
    ("jcb", "3530111333300000", 0.015),
)
GOODS = (
    ("kettle", 34_90),
    ("teapot", 27_50),
    ("mug", 8_90),
    ("tray", 19_00),
    ("spoon", 3_20),
    ("strainer", 6_40),
    ("caddy", 14_75),
    ("timer", 11_10),
)
BUSINESS_SHARE = 0.35
COUNTRIES = ("DE", "FR", "NL", "SE", "PL", "ES")


@dataclass(frozen=True, slots=True)
class Order:
    """One order; amounts are in cents. `value` is the body of its event but for the id."""

    id: str
    value: dict[str, Any]


def order(number: int, *, seed: int) -> Order:
    """The order of this number (1 and up)."""
    draw = random.Random(f"{seed}:{number}")
    brand, card, _ = draw.choices(CARDS, weights=[share for _, _, share in CARDS])[0]
    bought = [
        (sku, draw.choice((1, 1, 1, 2, 4)), price) for sku, price in draw.sample(GOODS, draw.choice((1, 1, 2, 3)))
    ]
    return Order(
        id=f"order-{number}",
        value={
            "customer": f"c-{draw.randrange(20_000):05d}",
            "business": draw.random() < BUSINESS_SHARE,
            "country": draw.choice(COUNTRIES),
            "lines": [{"sku": sku, "quantity": n, "price_cents": price} for sku, n, price in bought],
            "total_cents": sum(n * price for _, n, price in bought),
            "currency": "EUR",
            "card": {"brand": brand, "number": card},
        },
    )
