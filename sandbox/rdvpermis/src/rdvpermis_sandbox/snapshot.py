"""The truth on disk: one JSON text, replaced whole, so a crash leaves the text before."""

from pathlib import Path

from pydantic import TypeAdapter

from rdvpermis_sandbox.domain.model import Truth

_TRUTH = TypeAdapter(Truth)


def read(file: Path) -> Truth | None:
    """None when there is no file yet; pydantic's ValidationError when it is not ours."""
    return _TRUTH.validate_json(file.read_bytes()) if file.exists() else None


def write(file: Path, truth: Truth) -> None:
    """Replace the file; readable by its owner only, as it holds tokens."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_bytes(_TRUTH.dump_json(truth))
    fresh.replace(file)
