"""What an answer of the provider's holds, and what it means to whoever signs in that it holds nothing."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from resapermis_auth_gateway.egress.http import HttpAnswer, parse
from resapermis_kit.errors import Code, Failure


def document(answer: HttpAnswer) -> Mapping[str, Any]:
    """The JSON object of a good answer; RDVPERMIS_DOWN for anything else."""
    found = json_object(answer.body)
    if answer.status != HTTPStatus.OK or not found:
        raise down("the provider's answer is an error, or no JSON object")
    return found


def json_object(body: bytes) -> Mapping[str, Any]:
    """A JSON object; empty for anything else."""
    try:
        found = parse(body)
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def down(detail: str) -> Failure:
    """The provider does not answer as one; `detail` for the logs."""
    return Failure(Code.CODE_RDVPERMIS_DOWN, detail)


def sign_in_failed(detail: str) -> Failure:
    """A refusal of a sign-in; `detail` for the logs."""
    return Failure(Code.CODE_SIGN_IN_FAILED, detail)


def incomplete(missing: str, detail: str) -> Failure:
    """What the provider does not state; another sign-in would change nothing."""
    return Failure(Code.CODE_SIGN_IN_INCOMPLETE, detail, violations=[(missing, "not stated")])
