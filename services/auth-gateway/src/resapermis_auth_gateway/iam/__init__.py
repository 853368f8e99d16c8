"""iam.v1: what other services may know of accounts."""
