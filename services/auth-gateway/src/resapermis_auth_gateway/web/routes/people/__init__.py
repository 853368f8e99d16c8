"""People who are not RdvPermis employees: how they come in, and who keeps them."""
