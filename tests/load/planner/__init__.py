"""Simulates the planner of looks beside plain round-robin, without network or clock; see docs/bench.md."""
