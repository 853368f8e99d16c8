"""A person's answers while thousands of hostile connections are open."""
