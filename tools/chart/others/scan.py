"""checkov over what a size renders. What it finds is mended, or has its reason here."""

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
}
"""Check and object → why it stays."""


class NotScanned(Exception):
    """checkov said nothing that can be read."""


def complaints(objects: Sequence[Object]) -> list[str]:
    """What it finds beside the exceptions, and exceptions that it no longer finds."""
    found = {(one["check_id"], one["resource"]): one["check_name"] for one in _failed(objects)}
    return [
        *(
            f"{check} ({name}): {where}"
            for (check, where), name in sorted(found.items())
            if (check, where) not in EXCEPTIONS
        ),
        *(
            f"{check}: {where} is an exception that is not needed"
            for check, where in sorted(EXCEPTIONS.keys() - found.keys())
        ),
    ]


def _failed(objects: Sequence[Object]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "rendered.yaml").write_text(yaml.safe_dump_all(list(objects)), encoding="utf-8")
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
