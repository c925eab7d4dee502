"""The payment gateway that billing calls, with the bugs that make it decline some card brands."""

import zlib

BROKEN_BRANDS = frozenset({"diners", "jcb"})
TIMEOUTS_PER_1000 = 10
REJECTED_BRAND = "amex"  # by version 2.8.0


class Refused(Exception):
    """A record could not be processed. `java_class` is what the service calls the failure on its spans and letters."""

    java_class = "shop.Refused"
    frames: tuple[str, ...] = ()


class CardDeclined(Refused):
    """The gateway sends the expiry year of these brands with two digits, and the issuer declines."""

    java_class = "shop.billing.CardDeclined"
    frames = (
        "shop.billing.Gateway.charge(Gateway.java:88)",
        "shop.billing.Payments.capture(Payments.java:52)",
        "shop.billing.OrderListener.onOrder(OrderListener.java:34)",
    )


class AmountRejected(Refused):
    """Billing 2.8.0 sends the amount for this brand in whole cents where the gateway wants units."""

    java_class = "shop.billing.AmountRejected"
    frames = (
        "shop.billing.Gateway.amount(Gateway.java:104)",
        "shop.billing.Gateway.charge(Gateway.java:83)",
        "shop.billing.Payments.capture(Payments.java:52)",
        "shop.billing.OrderListener.onOrder(OrderListener.java:34)",
    )


class GatewayTimeout(Refused):
    """The gateway did not answer in time; the next attempt will do."""

    java_class = "shop.billing.GatewayTimeout"
    frames = (
        "shop.billing.Gateway.await(Gateway.java:131)",
        "shop.billing.Gateway.charge(Gateway.java:79)",
        "shop.billing.Payments.capture(Payments.java:52)",
        "shop.billing.OrderListener.onOrder(OrderListener.java:34)",
    )


def charge(order_id: str, *, brand: str, broken: bool, slow: bool, again: bool) -> None:
    """Take the money for an order.

    Raises CardDeclined for the broken brands while the bug is in, AmountRejected for another brand by the slow
    version, and GatewayTimeout for one order in a hundred of
    the others, unless it is tried again. What happens depends on the order alone, so that a retry shows if the bug
    is mended.
    """
    if slow and brand == REJECTED_BRAND:
        raise AmountRejected(f"amount of {order_id} not understood for {brand}")
    if brand in BROKEN_BRANDS:
        if broken:
            raise CardDeclined(f"issuer declined {order_id}: expiry year of {brand} card not understood")
    elif not again and zlib.crc32(order_id.encode()) % 1000 < TIMEOUTS_PER_1000:
        raise GatewayTimeout(f"no answer for {order_id} within 800 ms")
