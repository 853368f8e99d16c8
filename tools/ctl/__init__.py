"""Questions of an operator to a running ResaPermis, asked of its databases and of RdvPermis, changing nothing."""

from ctl.findings import Finding, Report
from ctl.invariants import look, until_settled
from ctl.places import Places, of_environment, of_home

__all__ = ["Finding", "Places", "Report", "look", "of_environment", "of_home", "until_settled"]
