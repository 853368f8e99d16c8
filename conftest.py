"""Fixtures for every suite: real PostgreSQL, NATS and gRPC."""

pytest_plugins = ["resapermis_kit.testing"]
