"""Events of other services → notices. Pure; a notice holds ids, dates, places and codes, never a person."""
