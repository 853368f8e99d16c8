"""What RdvPermis knows and allows. Pure: no HTTP, no clock of its own."""
