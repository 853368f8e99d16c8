"""Where in France a department lies, and what its clocks and calendar show."""
