"""Whether what is rendered is what Kubernetes knows: each version's own schemas, strictly. Operators' kinds are others' to say."""

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from chart.objects import Object
from chart.others.workshop import program

VERSIONS = ("1.35", "1.36", "1.37")
OURS = ("v1", "apps/", "batch/", "policy/", "autoscaling/", "networking.k8s.io/", "rbac.authorization.k8s.io/")


def is_known(one: Object) -> bool:
    """Whether Kubernetes itself knows the kind."""
    return str(one["apiVersion"]).startswith(OURS)


def complaints(renderings: Mapping[str, Sequence[Object]]) -> list[str]:
    """What each version refuses of each rendering; an object that is the same in several is asked about once."""
    different: dict[str, str] = {}
    for name, objects in renderings.items():
        for one in filter(is_known, objects):
            different.setdefault(json.dumps(one, sort_keys=True), name)
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for number, (text, name) in enumerate(different.items()):
            files[Path(folder, f"{number}.json")] = name
            Path(folder, f"{number}.json").write_text(text, encoding="utf-8")
        for version in VERSIONS:
            done = subprocess.run(
                [program("kubernetes-validate"), "-k", version, "--strict", "--quiet", *map(str, files)],
                capture_output=True,
                text=True,
                check=False,
            )
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            if done.returncode != 0:
                wrong += [f"Kubernetes {version}: {line}" for line in lines] or [
                    f"Kubernetes {version} refuses something"
                ]
    return wrong
