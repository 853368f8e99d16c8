"""Statements of a file: by name, without what is a comment."""

from pathlib import Path

import pytest

from resapermis_kit.database.sql_file import sql_file


def test_a_file_is_read_by_name_without_its_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sql_of_a_test").mkdir()
    (tmp_path / "sql_of_a_test" / "__init__.py").touch()
    (tmp_path / "sql_of_a_test" / "statements.sql").write_text(
        "-- What they are, for :nobody.\n\n-- name: one\n-- Why :not.\nSELECT 1\nFROM t\n"
        "    -- Within.\nWHERE id = :id;\n\n-- name: other\nSELECT '-- kept';\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert sql_file("sql_of_a_test", "statements.sql") == {
        "one": "SELECT 1\nFROM t\nWHERE id = :id",
        "other": "SELECT '-- kept'",
    }
