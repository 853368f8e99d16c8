"""Holds, baskets and bookings."""
