"""The provable journal."""
