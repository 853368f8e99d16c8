"""The OpenID provider: what it offers, how we prove who we are there, what it answers, and whether we believe it."""
