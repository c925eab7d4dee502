"""Ids of services, topics and groups as links, the API and the stored layout write them."""

from functools import lru_cache
from urllib.parse import quote, unquote


def service_id(namespace: str, name: str) -> str:
    """service:orders-svc, or with a namespace service:shop/orders-svc."""
    return "service:" + "/".join(_part(part) for part in (namespace, name) if part)


def topic_id(cluster: str, name: str) -> str:
    """topic:prod/orders.created"""
    return f"topic:{_part(cluster)}/{_part(name)}"


def group_id(cluster: str, name: str) -> str:
    """group:prod/billing"""
    return f"group:{_part(cluster)}/{_part(name)}"


def parts(identity: str) -> tuple[str, tuple[str, ...]] | None:
    """Kind and decoded parts: ("topic", ("prod", "orders.created")). None where the text is no id."""
    kind, colon, rest = identity.partition(":")
    if not colon or kind not in {"service", "topic", "group"} or not rest:
        return None
    names = tuple(unquote(part) for part in rest.split("/"))
    return (kind, names) if len(names) == 2 or (kind == "service" and len(names) == 1) else None


def tail(identity: str) -> str:
    """What stands behind the kind, as addresses of pages have it: shop/orders-svc of service:shop/orders-svc."""
    return identity.partition(":")[2]


@lru_cache(maxsize=4_096)  # a path of a thousand hops writes few names thousands of times
def _part(text: str) -> str:
    return quote(text, safe="")
