"""What programs of others say of rendered objects, from an environment that only `make chart` makes."""
