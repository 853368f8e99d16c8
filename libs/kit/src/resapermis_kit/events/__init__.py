"""Events: from the outbox in the commit, over NATS, into each consumer's inbox, once and in order."""
