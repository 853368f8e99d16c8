"""Slots as last seen at RdvPermis: which looks are worth it, whose token pays, and what a look changes."""
