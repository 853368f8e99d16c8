"""One parser of e-mail addresses, for the moment one is typed and the moment a mail leaves. It asks no DNS."""

from email_validator import EmailNotValidError, validate_email

from resapermis_persons.names import without_invisible

LONGEST_ADDRESS = 254
"""Characters of an address (RFC 5321 4.5.3.1.3, without the angle brackets)."""
_SCHEME = "mailto:"
_BEHIND = ",;. \t"


def clean_address(text: str) -> str:
    """The address in what was typed or pasted: NFC, its domain in small letters.

    What programs add around one when it is copied goes: spaces and invisible signs, `mailto:`, angle brackets, a comma,
    semicolon or full stop behind. ValueError, whose text may be shown and holds nothing of the value, when what is
    left is no address that a mail can go to.
    """
    found = without_invisible(text).strip()
    if found[: len(_SCHEME)].lower() == _SCHEME:
        found = found[len(_SCHEME) :]
    found = found.strip().rstrip(_BEHIND)
    if found[:1] == "<" and found[-1:] == ">":
        found = found[1:-1].strip()
    normalised = _parsed(found)
    if normalised is None:
        msg = "is not one e-mail address, such as name@example.org"
        raise ValueError(msg)
    return normalised


def is_address(text: str) -> bool:
    """Say whether a mail can go to exactly this text. What would have to be cleaned first is none."""
    return _parsed(text) is not None


def _parsed(text: str) -> str | None:
    if len(text) > LONGEST_ADDRESS:
        return None
    try:
        return validate_email(text, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:  # its text repeats parts of the address
        return None
