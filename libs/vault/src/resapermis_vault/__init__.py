"""Envelope encryption, person keys and blind index."""
