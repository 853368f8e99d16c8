"""Breaks of messages that `buf breaking` lets pass are named in the changelog, or refused."""

import subprocess
from pathlib import Path

import pytest
import yaml

from checks import messages
from checks.messages import unstated_breaks

ROOT = Path(__file__).resolve().parents[3]
BUF = str(ROOT / ".venv" / "bin" / "buf")
AUTHZ = "resapermis/authz/v1/options.proto"
PROTO = """syntax = "proto3";

package one.v1;

import "resapermis/authz/v1/options.proto";

message One {
  string name = 1;
  message Within {
    enum Kind {
      KIND_UNSPECIFIED = 0;
      KIND_OTHER = 1;
    }
    Kind kind = 1;
  }
}

service Asked {
  rpc Ask(One) returns (One) {
    option (resapermis.authz.v1.permission) = "one.read";
  }
}
"""
UNRELEASED = "# Changelog\n\n## Unreleased\n\n### Fixed\n- `all`\n\n### What breaks\n- {}\n\n## 0.2.0\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose only commit is the release."""
    for name, text in {
        "protos/buf.yaml": (ROOT / "protos" / "buf.yaml").read_text(encoding="utf-8"),
        f"protos/{AUTHZ}": (ROOT / "protos" / AUTHZ).read_text(encoding="utf-8"),
        "protos/one/v1/one.proto": PROTO,
        "CHANGELOG.md": UNRELEASED.format("nothing"),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    who = ("-c", "user.name=x", "-c", "user.email=x@x.example")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "x")):
        subprocess.run(("git", "-C", str(tmp_path), *words), check=True)
    return tmp_path


def found(root: Path) -> list[str]:
    return unstated_breaks(root, "HEAD", BUF)


def test_what_is_as_it_was_or_only_added_breaks_nothing(root: Path) -> None:
    assert found(root) == []
    more = PROTO.replace("string name = 1;", "string name = 1;\n  string more = 2;")
    (root / "protos/one/v1/one.proto").write_text(f"{more}\nmessage Other {{}}\n", encoding="utf-8")
    assert found(root) == []


BREAKS = {
    "one.v1.Asked.Ask": ('"one.read"', '"one.write"', "`one.v1.Asked.Ask` wants `one.write`"),
    "one.v1.One.name": ("string name = 1;", 'reserved 1;\n  reserved "name";', "`one.v1.One.name` is gone"),
    "one.v1.One.Within.kind": ("Kind kind = 1;", "reserved 1;", "`one.v1.One.Within.kind`"),
    "one.v1.One.Within.Kind.KIND_OTHER": ("KIND_OTHER = 1;", "reserved 1;", "`one.v1.One.Within.Kind.KIND_OTHER`"),
}
"""What breaks → the text that it takes the place of, its own, the entry that says so."""


def test_what_older_peers_would_miss_is_named_under_what_breaks(root: Path) -> None:
    proto = PROTO
    for old, new, _ in BREAKS.values():
        assert old in proto
        proto = proto.replace(old, new)
    (root / "protos/one/v1/one.proto").write_text(proto, encoding="utf-8")

    def named() -> list[str]:
        return sorted(complaint.partition(": ")[0] for complaint in found(root))

    assert named() == sorted(BREAKS)
    entries = {name: entry for name, (_, _, entry) in BREAKS.items()}
    changelog, every = root / "CHANGELOG.md", "\n- ".join(entries.values())
    changelog.write_text(UNRELEASED.format("nothing").replace("`all`", every), encoding="utf-8")
    assert named() == sorted(BREAKS), "among what is mended it is not said"
    changelog.write_text(UNRELEASED.format("nothing") + f"\n### What breaks\n- {every}\n", encoding="utf-8")
    assert named() == sorted(BREAKS), "of an older release it is not said"
    for some in (slice(0, 2), slice(2, 4)):
        changelog.write_text(UNRELEASED.format("\n- ".join(list(entries.values())[some])), encoding="utf-8")
        assert named() == sorted(set(BREAKS) - set(list(entries)[some])), "an entry is one of its own break"
    changelog.write_text(UNRELEASED.format(every), encoding="utf-8")
    assert named() == []


def test_another_permission_is_named_with_what_it_is_now(root: Path) -> None:
    (root / "protos/one/v1/one.proto").write_text(PROTO.replace("one.read", "one.write"), encoding="utf-8")
    (root / "CHANGELOG.md").write_text(UNRELEASED.format("`one.v1.Asked.Ask` wants `one.own`"), encoding="utf-8")
    assert len(found(root)) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"breaking": {"ignore": ["one"]}},
        {"breaking": {"ignore_only": {"FIELD_SAME_TYPE": ["one"]}}},
        {"breaking": {"except": ["RPC_NO_DELETE"]}},
        {"breaking": {"ignore_unstable_packages": True}},
        {"breaking": {"use": ["WIRE"]}},
        {"modules": [{"path": ".", "excludes": ["two"]}]},
        {"modules": [{"path": ".", "breaking": {"use": ["WIRE"]}}]},
    ],
)
def test_rules_of_comparing_are_never_fewer_than_the_release_had(
    root: Path, more: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "_built", lambda *_: [])  # the messages stay as they are, and take long to read
    page = root / "protos" / "buf.yaml"
    rules = yaml.safe_load(page.read_text(encoding="utf-8"))
    breaking = more.get("breaking")
    rules |= {"breaking": rules["breaking"] | breaking} if isinstance(breaking, dict) else more
    page.write_text(yaml.safe_dump(rules), encoding="utf-8")
    (complaint,) = found(root)
    assert complaint.startswith("protos/buf.yaml: ")


def test_more_rules_and_other_ones_of_style_are_let_be(root: Path) -> None:
    page = root / "protos" / "buf.yaml"
    rules = yaml.safe_load(page.read_text(encoding="utf-8"))
    rules["breaking"]["use"].append("FILE_SAME_PACKAGE")
    rules["lint"] = {"use": ["MINIMAL"]}
    page.write_text(yaml.safe_dump(rules), encoding="utf-8")
    assert found(root) == []
