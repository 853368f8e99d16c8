"""checkov over whatever is rendered. What it finds is mended, or has its reason here."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from chart.objects import Object
from chart.others.workshop import program

EXCEPTIONS: Mapping[tuple[str, str], str] = {
    (
        "CKV_K8S_8",
        "StatefulSet.resapermis.resapermis-nats",
    ): "the container beside the server waits for renewed certificates; without it the server goes on",
    ("CKV_K8S_9", "StatefulSet.resapermis.resapermis-nats"): "the same: nobody asks that container anything",
    ("CKV_K8S_8", "Pod.resapermis.resapermis-serves"): "helm test: it asks once and ends, as a Job does",
    ("CKV_K8S_9", "Pod.resapermis.resapermis-serves"): "the same: nobody asks it anything",
}
"""Check and object → why it stays."""


class NotScanned(Exception):
    """checkov said nothing that can be read."""


def complaints(all_of: Mapping[str, Sequence[Object]]) -> list[str]:
    """What it finds beside the exceptions, and exceptions that it no longer finds. `all_of`: what each rendering's name holds."""
    failed = _failed(all_of)
    found = {(one["check_id"], one["resource"]) for one in failed}
    return [
        *sorted(
            f"{one['check_id']} ({one['check_name']}): {one['resource']} of {_rendering(one, all_of)}"
            for one in failed
            if (one["check_id"], one["resource"]) not in EXCEPTIONS
        ),
        *(f"{check}: {where} is an exception that is not needed" for check, where in sorted(EXCEPTIONS.keys() - found)),
    ]


def _rendering(one: Mapping[str, Any], all_of: Mapping[str, Sequence[Object]]) -> str:
    return list(all_of)[int(Path(one["file_path"]).stem)]


def _failed(all_of: Mapping[str, Sequence[Object]]) -> list[dict[str, Any]]:
    """One run over a file for each rendering, with what none before it has: most of them share most objects."""
    seen: list[Object] = []
    with tempfile.TemporaryDirectory() as folder:
        for number, objects in enumerate(all_of.values()):
            new = [one for one in objects if one not in seen]
            seen += new
            Path(folder, f"{number}.yaml").write_text(yaml.safe_dump_all(new), encoding="utf-8")
        words = ("--framework", "kubernetes", "--quiet", "--compact", "--skip-download", "--output", "json")
        done = subprocess.run(
            [program("checkov"), "--directory", folder, *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "BC_SKIP_MAPPING": "TRUE", "LOG_LEVEL": "ERROR"},
        )
    try:
        report = json.loads(done.stdout)
        failed: list[dict[str, Any]] = report["results"]["failed_checks"]
        if not report["summary"]["passed"]:
            raise NotScanned("checkov looked at nothing")
    except (ValueError, KeyError, TypeError):
        raise NotScanned(f"checkov: {(done.stderr or done.stdout).strip()[-500:]}") from None
    return failed
