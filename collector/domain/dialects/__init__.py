"""The dead-letter dialects: how each framework says what failed, where and why."""

from collector.domain.dialects.mapped import LetterMapping
from collector.domain.dialects.names import Role, retry_topics, role
from collector.domain.dialects.registry import on_its_way, only_family, own_key, read, unknown

__all__ = ["LetterMapping", "Role", "on_its_way", "only_family", "own_key", "read", "retry_topics", "role", "unknown"]
