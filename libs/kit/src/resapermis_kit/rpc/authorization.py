"""What a caller may: each RPC names a permission, Cedar policies decide, deny by default."""

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import cedarpy
from google.protobuf.descriptor import ServiceDescriptor

from resapermis.authz.v1 import options_pb2
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Caller


def permissions(services: Iterable[ServiceDescriptor]) -> dict[str, str]:
    """Map "/package.Service/Method" to the permission it needs; ValueError for an RPC that names none."""
    found = {}
    for service in services:
        for method in service.methods:
            permission = method.GetOptions().Extensions[options_pb2.permission]
            if not permission:
                msg = f"{method.full_name} has no (resapermis.authz.v1.permission): it would be open to anyone"
                raise ValueError(msg)
            found[f"/{service.full_name}/{method.name}"] = permission
    return found


class Authorizer:
    """Cedar policies, parsed once; a decision is remembered per (roles, calling service, permission).

    That is sound because policies look at nothing else: which school's rows are touched is not theirs to
    decide, services take the school from the principal and never from a request.
    """

    def __init__(self, policies: Path) -> None:
        """Parse and validate every *.cedar file of the folder against schema.cedarschema; ValueError if one is wrong."""
        text = "\n".join(file.read_text(encoding="utf-8") for file in sorted(policies.glob("*.cedar")))
        schema = (policies / "schema.cedarschema").read_text(encoding="utf-8")
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            msg = f"policies do not fit their schema: {[str(error) for error in result.errors]}"
            raise ValueError(msg)
        self._policies = cedarpy.PolicySet.from_str(text)
        self._decide = lru_cache(maxsize=10_000)(self._ask)

    def allows(self, who: Caller, permission: str) -> bool:
        """Whether the policies permit it; false where no policy says so."""
        return self._decide(who.person.roles if who.person else None, who.service, permission)

    def _ask(self, roles: tuple[str, ...] | None, service: str, permission: str) -> bool:
        if roles is not None:
            uid = {"type": "Person", "id": "asker"}
            attributes: dict[str, object] = {"roles": list(roles)}
        else:
            uid, attributes = {"type": "Service", "id": service}, {}
        request = {
            "principal": f'{uid["type"]}::"{uid["id"]}"',
            "action": f"Action::{json.dumps(permission)}",
            "resource": 'Platform::"resapermis"',
            "context": {"caller": service},
        }
        entities: list[dict[Any, Any]] = [
            {"uid": uid, "attrs": attributes, "parents": []},
            {"uid": {"type": "Platform", "id": "resapermis"}, "attrs": {}, "parents": []},
        ]
        return bool(cedarpy.is_authorized(request, self._policies, entities).allowed)

    def require(self, who: Caller, permission: str) -> None:
        """Refuse with UNAUTHENTICATED where a person is missing, FORBIDDEN where their rights are."""
        if self.allows(who, permission):
            return
        if who.person is None:
            raise Failure(Code.CODE_UNAUTHENTICATED, f"{permission} needs a person", denied="no_person")
        raise Failure(Code.CODE_FORBIDDEN, f"{permission} is not among your rights", denied="no_right")
