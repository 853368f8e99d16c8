"""A service's process: settings, start and stop, leader tasks, telemetry, invariants."""
