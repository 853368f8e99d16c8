"""What operators look at: metrics, rules, runbooks and dashboards, held together."""
