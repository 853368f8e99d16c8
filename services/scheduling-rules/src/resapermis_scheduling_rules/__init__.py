"""Slots, thresholds and the rules that decide who may take what."""
