"""The folder of secrets as Kubernetes Secrets: one for each process, on stdout or made in the cluster. What is there is kept."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from ctl.steps.keys import files_of
from devstack.components import SERVICES

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where Kubernetes mounts the token of a pod that may ask the API server."""
SECONDS = 20.0


class NoCluster(Exception):
    """The API server cannot be asked, or refused; the message says why."""


@dataclass(frozen=True)
class ApiServer:
    """Where Secrets are made, as whom, and what makes its certificate good (a file; none over plain HTTP, in tests)."""

    url: str
    token: str
    authority: Path | None
    namespace: str

    @classmethod
    def of_pod(cls, environment: Mapping[str, str] = os.environ, account: Path = ACCOUNT) -> "ApiServer":
        """That of the cluster that this process runs in; NoCluster where it runs in none, or without a token."""
        host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not (account / "token").exists():
            raise NoCluster(f"no API server to ask: KUBERNETES_SERVICE_HOST and {account}/token are a pod's")
        where = f"[{host}]" if ":" in host else host
        token, namespace = ((account / name).read_text(encoding="utf-8").strip() for name in ("token", "namespace"))
        return cls(f"https://{where}:{port}", token, account / "ca.crt", namespace)


def secrets_of(folder: Path, name: str) -> list[dict[str, Any]]:
    """A Secret for each process that has any: "<name>-<process>", its files under the names that it reads them by."""
    made = []
    for service in SERVICES:
        files = files_of(service, folder)
        if files:
            labels = {"app.kubernetes.io/part-of": "resapermis", "app.kubernetes.io/component": service.name}
            made.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "Opaque",
                    "metadata": {"name": f"{name}-{service.name}", "labels": labels},
                    "data": {file: base64.b64encode(content).decode() for file, content in files.items()},
                }
            )
    return made


def listed(secrets: Sequence[Mapping[str, Any]], namespace: str) -> dict[str, Any]:
    """As one object for `kubectl create -f -`, which keeps what is there; `apply` would replace it."""
    placed = {"namespace": namespace} if namespace else {}
    items = [{**one, "metadata": {**one["metadata"], **placed}} for one in secrets]
    return {"apiVersion": "v1", "kind": "List", "items": items}


def create(secrets: Sequence[Mapping[str, Any]], server: ApiServer) -> dict[str, str]:
    """Make each in the cluster; name → "made" or "kept". NoCluster at the first that is neither.

    Each is made whole or not at all, and depends on no other: where this is cut off, it is run again.
    """
    verify = str(server.authority) if server.authority is not None else True
    became = {}
    try:
        with httpx2.Client(verify=verify, timeout=SECONDS, headers={"Authorization": f"Bearer {server.token}"}) as web:
            for one in secrets:
                answer = web.post(f"{server.url}/api/v1/namespaces/{server.namespace}/secrets", json=one)
                became[one["metadata"]["name"]] = _outcome(one["metadata"]["name"], answer.status_code)
    except (httpx2.HTTPError, OSError) as error:
        raise NoCluster(f"the API server does not answer: {type(error).__name__}") from None
    return became


def _outcome(name: str, status: int) -> str:
    if status == httpx2.codes.CREATED:
        return "made"
    if status == httpx2.codes.CONFLICT:
        return "kept"
    raise NoCluster(f"the API server answered {status} to the Secret {name}")
