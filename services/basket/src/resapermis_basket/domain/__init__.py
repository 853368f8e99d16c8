"""Values, states and decisions of basket; pure."""
