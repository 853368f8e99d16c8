"""Roles of a database: its owner, which migrates it, and those that serve from it and own nothing (ADR 41)."""
