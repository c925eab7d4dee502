"""Benchmarks: each prints one table, ours beside a ceiling."""
