"""TLS of every connection: which versions and suites, whose certificates, and how they are renewed while a process runs."""
