"""The OpenID provider: who signs in, and with which tokens."""
