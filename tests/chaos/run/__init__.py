"""The chaos run: load, outages, recovery, judgement."""
