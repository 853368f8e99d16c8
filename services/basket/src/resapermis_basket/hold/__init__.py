"""Holding slots: the queue, the command with its intention and answer, held lines, the basket."""
