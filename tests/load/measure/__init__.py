"""Where the time goes: accounts of hops and processes, sampled stacks, and the same statements asked of PostgreSQL alone."""
