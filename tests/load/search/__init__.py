"""Measures searches through scheduling-rules' gRPC at a million slots; see docs/bench.md."""
