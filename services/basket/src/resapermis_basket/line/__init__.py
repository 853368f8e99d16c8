"""Lines, their groups and counters, as every act reads and writes them; and the change of a line."""
