"""Stable layered layout of the service graph: pure Python."""
