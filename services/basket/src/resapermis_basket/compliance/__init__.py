"""Kept judgements judged again: every night, and by hand."""
