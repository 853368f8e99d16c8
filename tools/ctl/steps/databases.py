"""The roles of each database as Kubernetes Secrets: one that owns it, those that serve, each with a password and its URL.

CloudNativePG reads name and password (`kubernetes.io/basic-auth`), a process the URL. A password that is kept is given again.
"""

import base64
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ctl.steps.keys import once
from devstack.components import SERVICES

AUTHORITY = "/run/database-authority/ca.crt"
"""Where the chart mounts who may have signed the database's certificate."""
OWNER = "_owner"


def secrets_of(folder: Path, name: str, host: str) -> list[dict[str, Any]]:
    """A Secret for each role on `host` ("name" or "name:port"): "<name>-db-<role>", with - for _."""
    made = []
    for database in sorted({service.database for service in SERVICES}):
        for role in (*(one.role for one in SERVICES if one.database == database), f"{database}{OWNER}"):
            password = once(folder / f"postgres-{role}", lambda: secrets.token_urlsafe(24))
            content = {"username": role, "password": password, "url": url(role, password, host, database)}
            made.append(
                {
                    "apiVersion": "v1",
                    "kind": "Secret",
                    "type": "kubernetes.io/basic-auth",
                    "metadata": {
                        "name": f"{name}-db-{role.replace('_', '-')}",
                        # With it CloudNativePG notices another password at once.
                        "labels": {"app.kubernetes.io/part-of": "resapermis", "cnpg.io/reload": "true"},
                    },
                    "data": {key: base64.b64encode(value.encode()).decode() for key, value in content.items()},
                }
            )
    return made


def url(role: str, password: str, host: str, database: str) -> str:
    """Over TLS that verifies chain and name, or not at all."""
    return (
        f"postgresql://{role}:{quote(password, safe='')}@{host}/{database}?sslmode=verify-full&sslrootcert={AUTHORITY}"
    )
