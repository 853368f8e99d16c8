"""What `buf breaking` does not see of messages since the last release: its own rules, permissions, fields made `reserved`.

The rules are those of the release or more. A peer of the release that meets another permission is refused, and one that sends
or reads a field that is only reserved now loses what it says: each is named under "What breaks" in the changelog, or is refused.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from checks.compatible import as_released

PERMISSION = "[resapermis.authz.v1.permission]"
WANTED = 'take it back, or name it under "Unreleased", "What breaks" in CHANGELOG.md'


def unstated_breaks(root: Path, commit: str, buf: str) -> list[str]:
    """Rules of protos/buf.yaml that are fewer than a commit's; permissions and fields that differ from it, not said to people."""
    with as_released(root, commit, "protos") as then:
        wrong = list(_fewer_rules(_rules(then / "protos"), _rules(root / "protos")))
        old, new = _built(then / "protos", buf), _built(root / "protos", buf)
    stated = _stated((root / "CHANGELOG.md").read_text(encoding="utf-8"))
    for name, permission in _permissions(old).items():
        now = _permissions(new).get(name, permission)  # that an RPC is gone is told by `buf breaking`
        if now != permission and not _names(stated, name, now):
            wrong.append(f"{name}: its permission was {permission!r} and is {now!r}: {WANTED}: `{name}`, `{now}`")
    members = _members(new)
    for kind, numbers in _members(old).items():
        for number, name in numbers.items():
            if kind in members and number not in members[kind] and not _names(stated, f"{kind}.{name}"):
                wrong.append(f"{kind}.{name}: it is gone: {WANTED}: `{kind}.{name}`")
    return wrong


def _rules(protos: Path) -> dict[str, Any]:
    """Of buf.yaml all that says what is compared, and by which rules."""
    page: dict[str, Any] = yaml.safe_load((protos / "buf.yaml").read_text(encoding="utf-8"))
    return {name: value for name, value in page.items() if name != "lint"}


def _fewer_rules(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    old, new = then.pop("breaking", {}), now.pop("breaking", {})
    if gone := sorted(set(old.pop("use", ())) - set(new.pop("use", ()))):
        yield f"protos/buf.yaml: breaking: use: the release has {', '.join(gone)} too"
    if old != new:
        yield f"protos/buf.yaml: breaking: the release has {old or 'no exception'}, not {new}"
    if then != now:
        yield f"protos/buf.yaml: what is compared: the release has {then}, not {now}"


def _built(protos: Path, buf: str) -> list[dict[str, Any]]:
    done = subprocess.run((buf, "build", str(protos), "-o", "-#format=json"), capture_output=True, check=True)
    files: list[dict[str, Any]] = json.loads(done.stdout)["file"]
    return files


def _permissions(files: list[dict[str, Any]]) -> Mapping[str, str]:
    """Service.Rpc, by its whole name → the permission it wants."""
    return {
        f"{file['package']}.{service['name']}.{method['name']}": method.get("options", {}).get(PERMISSION, "")
        for file in files
        for service in file.get("service", ())
        for method in service.get("method", ())
    }


def _members(files: list[dict[str, Any]]) -> Mapping[str, Mapping[int, str]]:
    """Message or enum, by its whole name → number → name of each field or value."""
    found: dict[str, dict[int, str]] = {}

    def into(prefix: str, kinds: dict[str, Any], messages: str) -> None:
        for message in kinds.get(messages, ()):
            name = f"{prefix}.{message['name']}"
            found[name] = {field["number"]: field["name"] for field in message.get("field", ())}
            into(name, message, "nestedType")
        for enum in kinds.get("enumType", ()):
            values = enum.get("value", ())
            found[f"{prefix}.{enum['name']}"] = {value.get("number", 0): value["name"] for value in values}

    for file in files:
        into(file["package"], file, "messageType")
    return found


def _stated(changelog: str) -> str:
    """What the changelog says to break, of all that is unreleased."""
    unreleased = re.search(r"^## Unreleased\n(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    parts = re.findall(
        r"^### What breaks[^\n]*\n(.*?)(?=^### |\Z)", unreleased[1] if unreleased else "", re.MULTILINE | re.DOTALL
    )
    return "\n".join(parts)


def _names(stated: str, *names: str) -> bool:
    """Whether one line of it has every name, each in its own backticks."""
    return any(all(f"`{name}`" in line for name in names) for line in stated.splitlines())
