"""Candidates and their mandates."""
