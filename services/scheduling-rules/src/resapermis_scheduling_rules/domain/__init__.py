"""Values, and what can be decided about them without looking anywhere; each name is imported from its own module."""
