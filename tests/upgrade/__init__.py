"""What a school had on v0.1.0 when the power went is there on this version, each thing once, and goes on from there."""
