"""Sign-in, sessions, REST and the only way out to RdvPermis."""
