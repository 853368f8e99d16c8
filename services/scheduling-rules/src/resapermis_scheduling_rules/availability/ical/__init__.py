"""Other people's calendars (RFC 5545): reduced to when somebody is busy, written out in a process that can be killed."""
