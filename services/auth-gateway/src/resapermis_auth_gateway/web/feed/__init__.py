"""The live feed: events of the bus, sent on to open pages."""
