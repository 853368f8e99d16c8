"""Access that was refused, on its way to the journal: sampled, so that a flood of refusals stays a few records."""
