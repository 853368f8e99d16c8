"""What people read of refusals, in French and English."""
