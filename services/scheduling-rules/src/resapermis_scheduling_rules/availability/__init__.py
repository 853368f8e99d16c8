"""Who and what is not free: declared, imported, met by bookings, and published as private calendars."""
