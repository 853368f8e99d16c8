"""The web face: what browsers reach."""
