"""How tests are run: how pytest-xdist hands them to workers in `make test`, and the lanes of `make test-long`."""
