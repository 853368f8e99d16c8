"""How `make test` runs: how pytest-xdist hands tests to workers."""
