"""Runs ResaPermis on one machine: for `make up`, the demo, the bench, the journeys and the chaos tests."""
