"""RdvPermis' API for schools, `/api/v2/auto-ecole`: each path, status and spelling as in its table; thin over the rules."""
