"""Signing in by a passkey, and making one."""
