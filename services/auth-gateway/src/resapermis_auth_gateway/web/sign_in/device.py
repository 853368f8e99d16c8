"""What kind of browser a person signs in with, in words of a closed list: enough to know one's own sessions apart.

Of the header User-Agent nothing else is kept: whole, it would mark a person's device.
"""

from dataclasses import dataclass

LONGEST = 512
BROWSERS = (
    ("edge", ("Edg/", "EdgA/", "EdgiOS/")),
    ("opera", ("OPR/",)),
    ("samsung", ("SamsungBrowser/",)),
    ("firefox", ("Firefox/", "FxiOS/")),
    ("chrome", ("Chrome/", "CriOS/", "Chromium/")),
    ("safari", ("Safari/",)),
)
"""Word, and by which product it is known; who claims to be several is the first."""
SYSTEMS = (
    ("android", ("Android",)),
    ("ios", ("iPhone", "iPad", "iPod")),
    ("windows", ("Windows",)),
    ("chromeos", ("CrOS",)),
    ("macos", ("Macintosh", "Mac OS X")),
    ("linux", ("Linux", "X11")),
)


@dataclass(frozen=True)
class Device:
    """A browser and what it runs on; "" where neither is known."""

    browser: str = ""
    system: str = ""


def device_of(user_agent: str) -> Device:
    """The kind of browser of a User-Agent header."""
    stated = user_agent[:LONGEST]

    def first(words: tuple[tuple[str, tuple[str, ...]], ...]) -> str:
        return next((word for word, marks in words if any(mark in stated for mark in marks)), "")

    return Device(first(BROWSERS), first(SYSTEMS))
