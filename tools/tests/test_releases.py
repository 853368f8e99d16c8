"""A release is taken by its commit, and who cannot have it reads why."""

import subprocess

import pytest

import releases
import resapermisctl


def test_the_page_names_whole_commits_only():
    assert releases.releases("# a comment\n\nv0.1.0: " + "a" * 40 + "\n") == {"v0.1.0": "a" * 40}
    for line in ("v0.1.0: abc123", "0.1.0: " + "a" * 40, "v0.1.0: main"):
        with pytest.raises(releases.NoRelease, match="whole commit"):
            releases.releases(line)


def test_the_first_release_is_in_this_history():
    assert releases.commit_of("v0.1.0").startswith("ecc552d")
    with pytest.raises(releases.NoRelease, match=r"has no v9\.9\.9; it has v0\.1\.0"):
        releases.commit_of("v9.9.9")


def test_a_clone_without_the_commit_says_what_to_do(tmp_path, monkeypatch):
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.setattr(releases, "ROOT", tmp_path)
    with pytest.raises(releases.NoRelease, match="git fetch --unshallow"):
        releases.commit_of("v0.1.0")


def test_a_folder_that_somebody_else_may_write_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(releases.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = releases._own_folder()
    assert releases._own_folder() == folder
    folder.chmod(0o777)
    with pytest.raises(releases.NoRelease, match="remove it"):
        releases._own_folder()


def test_dead_letters_of_nowhere_are_not_none(monkeypatch, capsys):
    for name in ("AUTH_GATEWAY", "MANDATE", "SCHEDULING_RULES", "BASKET", "AUDIT", "NOTIFICATION"):
        monkeypatch.delenv(f"RESAPERMIS_{name}_DATABASE_URL", raising=False)
    assert resapermisctl.main(["dlq"]) == resapermisctl.NOT_ASKED
    assert "not set" in capsys.readouterr().err
