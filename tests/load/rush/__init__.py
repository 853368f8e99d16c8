"""Measures holds through basket's gRPC with the real components around it; see docs/bench.md."""
