"""The operating-system account that a program of the stack runs under, where that is not our own. Linux only (setpriv)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Account:
    """Another account, which root may start programs under.

    `reads_all`: its programs also enter folders and read files that are closed to it, for a clone in a folder that only root may enter.
    """

    uid: int
    gid: int
    reads_all: bool = False

    def setpriv(self) -> list[str]:
        """What the command setpriv needs to drop root for this account."""
        options = ["--reuid", str(self.uid), "--regid", str(self.gid), "--clear-groups"]
        if self.reads_all:
            # access(2) disregards capabilities of any other user than root unless no_setuid_fixup is set, and initdb asks it.
            options += ["--securebits", "+no_setuid_fixup"]
            options += ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
        return options
