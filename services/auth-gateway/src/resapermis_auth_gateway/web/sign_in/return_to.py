"""Where a person goes after signing in: a path of ours, whatever was asked (no open redirector)."""

from urllib.parse import unquote, urlsplit

HOME = "/"
LONGEST = 2000


def safe_return_to(asked: str) -> str:
    """Return `asked` if it is a plain local path with query, else the home page.

    Browsers drop tabs and line ends, read a backslash as a slash, and servers may decode once more: each form is judged.
    """
    forms = [asked]
    for _ in range(3):
        forms.append(unquote(forms[-1]))
    return asked if len(asked) <= LONGEST and all(_is_local(form) for form in forms) else HOME


def _is_local(path: str) -> bool:
    if not path.startswith("/") or path.startswith(("//", "/\\")) or "\\" in path or "//" in path.partition("?")[0]:
        return False
    if any(ord(char) < 32 or 127 <= ord(char) <= 160 for char in path):
        return False
    try:
        parts = urlsplit(path)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not parts.path.startswith(("/auth/", "/api/"))
