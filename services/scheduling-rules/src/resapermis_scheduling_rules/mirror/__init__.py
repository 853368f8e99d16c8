"""Slots as last seen at RdvPermis: which polls are worth it, whose token pays, and what a poll changes."""
