"""Questions of an operator to a running ResaPermis, asked of its databases and of RdvPermis, changing nothing."""
