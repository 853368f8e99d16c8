"""The chaos run: load, blows, recovery, judgement."""
