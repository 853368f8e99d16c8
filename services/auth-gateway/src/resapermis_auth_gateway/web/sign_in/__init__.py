"""Signing in at the provider, and the sessions that it opens."""
