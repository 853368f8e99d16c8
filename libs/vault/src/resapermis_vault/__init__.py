"""Envelope encryption, person keys and blind index.

Bytes in, bytes out: callers store them. Nothing here does I/O but `keyset.Keyset.load` and the operator's commands.
"""
