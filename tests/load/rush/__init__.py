"""Measures holds through basket's gRPC with the real parts around it; see docs/bench.md."""
