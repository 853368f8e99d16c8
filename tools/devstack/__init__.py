"""Runs ResaPermis on one machine: for `make up`, the demo, the bench, the journeys and the chaos tests."""

from devstack.background import BackgroundStack
from devstack.parts import ALL_PARTS, FOUNDATION, Ports
from devstack.probes import free_port
from devstack.processes import NotReady
from devstack.stack import CannotStart, Stack

__all__ = ["ALL_PARTS", "FOUNDATION", "BackgroundStack", "CannotStart", "NotReady", "Ports", "Stack", "free_port"]
