"""What the benchmarks share: data, servers, meters."""
