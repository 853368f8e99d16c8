"""What a measure begins with and what must hold after it: seeded schools and slots, past bookings, invariants."""
