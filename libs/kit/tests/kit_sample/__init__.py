"""A package with a database, as small as can be."""
