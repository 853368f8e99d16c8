"""Where tests take PostgreSQL and NATS from: two plugins with the same fixtures, of which conftest.py loads one; and the engine."""
