"""What only the sandbox has: switches for its clock, faults and rivals, and its truth for checkers."""
