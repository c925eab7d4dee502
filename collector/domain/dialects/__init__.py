"""The dead-letter dialects: how each framework says what failed, where and why."""

from collector.domain.dialects.names import Role, retry_topic, role
from collector.domain.dialects.registry import read

__all__ = ["Role", "read", "retry_topic", "role"]
