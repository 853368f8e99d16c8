"""Simulates the poll planner beside plain round-robin, without network or clock; see docs/bench.md."""
