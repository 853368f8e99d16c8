"""People who are not RdvPermis employees: what authenticators are asked and answer, and the administrator's list."""
