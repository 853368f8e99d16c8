"""The State's RdvPermis, as far as it is public, for demos and tests."""
