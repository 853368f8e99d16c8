"""A school as its administrator keeps it: licence, trainers, vehicles, hours, and the FTE that follows."""
