"""Why not: refusals, and the rules that basket itself states."""
