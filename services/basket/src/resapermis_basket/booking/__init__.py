"""Bookings: validation, changes, line resources, the allowance of replacements, results."""
