"""House checks that no linter has."""
