"""The walls between processes, as the running stack has them: what each is given, and nothing of another's."""

from pathlib import Path

import pytest

from devstack.components import replica_named
from devstack.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
HAS = {
    "auth-gateway": {"principal.jwk.json", "keyset-auth-gateway.json"},
    "egress": {"oidc-client-secret", "keyset-egress.json"},
    "mandate": {"keyset-mandate.json"},
    "scheduling-rules": {"keyset-scheduling-rules.json"},
    "audit": {"keyset-audit.json"},
    "rdvpermis": {"oidc-client-secret"},
}
"""Component → the files of the stack's secrets that its environment names, or whose content it holds."""


@pytest.mark.req("S-02", "S-03")
def test_no_process_has_anothers_secret_in_its_environment(stack: Stack) -> None:
    secrets = [file for file in stack.settings.secrets.iterdir() if file.name != "principal.jwks.json"]
    assert {name for names in HAS.values() for name in names} <= {file.name for file in secrets}
    found: dict[str, set[str]] = {}
    for component in stack.components:
        environment = Path(f"/proc/{stack.process(component).pid}/environ").read_bytes()
        assert b"PATH=" in environment, component
        held = {
            file.name
            for file in secrets
            if str(file).encode()
            in environment.split(b"\0") + [pair.partition(b"=")[2] for pair in environment.split(b"\0")]
            or file.read_bytes().strip() in environment
        }
        if held:
            found[component] = held
    assert found == HAS
    assert replica_named("egress")[0].keyset != replica_named("auth-gateway")[0].keyset
