"""What the web face adds to a call, and what open pages cost it."""
