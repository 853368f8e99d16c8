"""Whether objects of operators are what their CRDs say: TypeScript reads each as a literal of the type made from the CRD.

A field that is not in the type, one of another kind, a word that is no choice is an error of tsc. Ranges and patterns are not
in types. CloudNativePG's come from a package that renames fields (enablePDB is enablePdb) and makes classes of amounts: its
declarations are written anew with the names that stand beside them.
"""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from chart.objects import Object
from chart.others.workshop import NotMade, once
from devstack.settings import ROOT

HERE = Path(__file__).parent
TSC = ROOT / "web" / "node_modules" / "typescript" / "bin" / "tsc"
MODELS = "@kubernetes-models"
TYPES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("cert-manager.io/v1", "Certificate"): (
        f"{MODELS}/cert-manager/cert-manager.io/v1/Certificate",
        "ICertificate",
        "",
    ),
    ("cert-manager.io/v1", "Issuer"): (f"{MODELS}/cert-manager/cert-manager.io/v1/Issuer", "IIssuer", ""),
    ("external-secrets.io/v1", "ExternalSecret"): (
        f"{MODELS}/external-secrets/external-secrets.io/v1/ExternalSecret",
        "IExternalSecret",
        "",
    ),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): (
        f"{MODELS}/gateway-api/gateway.networking.k8s.io/v1/HTTPRoute",
        "IHTTPRoute",
        "",
    ),
    ("monitoring.coreos.com/v1", "PodMonitor"): (
        f"{MODELS}/prometheus-operator/monitoring.coreos.com/v1/PodMonitor",
        "IPodMonitor",
        "",
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): (
        f"{MODELS}/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule",
        "IPrometheusRule",
        "",
    ),
    ("postgresql.cnpg.io/v1", "Cluster"): ("./cnpg", "ClusterSpec", "spec"),
    ("postgresql.cnpg.io/v1", "ScheduledBackup"): ("./cnpg", "ScheduledBackupSpec", "spec"),
}
"""API version and kind → module, type, and which part of the object it is of ("": the whole)."""
OPTIONS = (
    "--noEmit",
    "--strict",
    "--skipLibCheck",
    "--target",
    "es2022",
    "--module",
    "esnext",
    "--moduleResolution",
    "bundler",
)


def is_known(one: Object) -> bool:
    """Whether there is a type of its kind."""
    return (one["apiVersion"], one["kind"]) in TYPES


def complaints(renderings: Mapping[str, Sequence[Object]]) -> list[str]:
    """What tsc says of each; an object that is the same in several is asked about once. NotMade where it cannot be asked."""
    home = once("types", (HERE / "package.json", HERE / "package-lock.json"), _install)
    folder = home / "rendered"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.ts"):
        old.unlink()
    declared = home / "node_modules" / "@cdk8s-kit" / "crds" / "dist" / "postgresql.cnpg.io.d.ts"
    (folder / "cnpg.ts").write_text(renamed(declared.read_text(encoding="utf-8")), encoding="utf-8")
    seen: set[str] = set()
    files = []
    for name, objects in renderings.items():
        for one in filter(is_known, objects):
            text = _literal(one)
            if text not in seen:
                seen.add(text)
                place = f"{one['kind']}-{one['metadata']['name']}-in-{re.sub(r'[^a-z]+', '-', name)}"
                files.append(folder / f"{place}.ts")
                files[-1].write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["node", str(TSC), *OPTIONS, *map(str, files)], cwd=folder, capture_output=True, text=True, check=False
    )
    wrong = done.stdout.splitlines()
    return wrong or ([done.stderr.strip()] if done.returncode else [])


def _literal(one: Object) -> str:
    module, kind, part = TYPES[one["apiVersion"], one["kind"]]
    value = json.dumps(one[part] if part else one, indent=1, sort_keys=True)
    return f'import type {{ {kind} }} from "{module}";\nexport const rendered: {kind} = {value};\n'


def renamed(declarations: str) -> str:
    """cdk8s' declarations with the fields' own names, amounts as they are written, and choices as words."""
    text = re.sub(r"^import .*$", "type ApiObjectMetadata = object;", declarations, count=1, flags=re.MULTILINE)
    text = re.sub(r"^import .*$", "", text, flags=re.MULTILINE)
    text = re.sub(
        r"@schema \w+#([\w-]+)(\s+\*/\s+)readonly \w+(\??):",
        lambda m: f"@schema{m[2]}readonly {json.dumps(m[1])}{m[3]}:",
        text,
    )
    text = re.sub(
        r"export declare class (\w+) \{\s+readonly value: number \| string;.*?\n\}",
        r"export type \1 = number | string;",
        text,
        flags=re.DOTALL,
    )
    text = re.sub(r"export declare enum (\w+) \{(.*?)\n\}", _words, text, flags=re.DOTALL)
    return re.sub(r"export declare (class .*?\n\}|function [^;]*;)", "", text, flags=re.DOTALL)


def _words(found: re.Match[str]) -> str:
    words = re.findall(r'= ("[^"]*")', found[2])
    return f"export type {found[1]} = {' | '.join(words)};"


def _install(home: Path) -> None:
    for name in ("package.json", "package-lock.json", ".npmrc"):
        (home / name).write_bytes((HERE / name).read_bytes())
    npm = str(ROOT / ".venv" / "bin" / "npm")
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [npm, "ci", "--legacy-peer-deps", "--loglevel=error"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        raise NotMade(done.stderr.strip())
