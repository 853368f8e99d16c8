"""A package so that its fixtures can have its scope: the platform stops after the last journey, not with the run."""
