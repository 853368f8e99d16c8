"""The configuration of nats-server: TLS both ways, the certificate is the user, each service an account of its own.

An account is a room of its own: a subject in it is nobody else's. What leads out are exports of the bus' account to this one
account: its own subjects, its own durables, its own streams to read. So neither a subject nor the reply that the server sends
for a service can be another's; permissions bind what a user publishes, and not where the server answers (ADR 33).
"""

import json
from pathlib import Path

from devstack.components import OPERATOR
from devstack.settings import ROOT
from resapermis_kit.events.streams import API, EVENTS, RECORDS, stream_name, subjects_of
from resapermis_kit.process.topology import Topology

BUS = "bus"
"""The account that has the streams; its one user is the operator."""
SUITES = tuple(
    f"TLS_ECDHE_{signed}_WITH_{cipher}"
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
    for signed in ("ECDSA", "RSA")
)
"""Of TLS 1.2, as `resapermis_kit.tls.policy` has them; those of 1.3 cannot be chosen."""
JETSTREAM = "$JS.API"
Exported = tuple[str, str, str]
"""Kind ("service", "stream", or "answers": a service with any number of them), subject, and its name in the service's account."""


def configuration(listen: str, monitor: str, store: Path, tls: Path, name: str = "resapermis-local") -> str:
    """The text of nats.conf. `tls` holds ca.pem, tls.pem and tls.key of the server.

    `monitor` is where it answers, over TLS, how it is set, to anybody who reaches it: loopback, or a network of services only.
    """
    return f"""# Written by devstack; changes are lost at the next start.
listen: {json.dumps(listen)}
https: {json.dumps(monitor)}
server_name: {json.dumps(name)}
max_payload: 1MB
jetstream {{
  store_dir: {json.dumps(str(store))}
  # An acknowledged message is on the disk, not in a cache.
  sync_interval: always
  max_memory_store: 64MB
  max_file_store: 4GB
}}
tls {{
  cert_file: {json.dumps(str(tls / "tls.pem"))}
  key_file: {json.dumps(str(tls / "tls.key"))}
  ca_file: {json.dumps(str(tls / "ca.pem"))}
  verify_and_map: true
  handshake_first: true
  min_version: "1.2"
  cipher_suites: {json.dumps(SUITES)}
  timeout: 5
}}
accounts {{
{accounts(Topology.load(ROOT / "policies"))}
}}
"""


def accounts(topology: Topology) -> str:
    """The bus' account and one for each service, a line each."""
    given = {service: _given(topology, service) for service in topology.services}
    exports = [_export(one, service) for service, all_of in given.items() for one in all_of]
    lines = {BUS: {"jetstream": "enabled", "users": [{"user": OPERATOR}], "exports": exports}}
    for service, all_of in given.items():
        heard = [(topology.owner(context), context) for context in topology.listens.get(service, ())]
        lines[service] = {
            "users": [{"user": service}],
            "exports": [
                {"stream": subjects_of(context), "accounts": [listener]}
                for listener, contexts in topology.listens.items()
                for context in contexts
                if topology.owner(context) == service
            ],
            "imports": [
                *(_import(one) for one in all_of),
                *({"stream": {"account": owner, "subject": subjects_of(context)}} for owner, context in heard),
            ],
        }
    return "\n".join(f"  {json.dumps(name)}: {json.dumps(account)}" for name, account in lines.items())


def _given(topology: Topology, service: str) -> list[Exported]:
    """All that a service has of the bus' account."""
    given: list[Exported] = []
    for stream in (EVENTS, RECORDS) if service in topology.publishes else ():
        name = stream_name(stream, service)
        given += [("service", subject, subject) for subject in topology.subjects(stream, service)]
        given += [_api("service", f"STREAM.INFO.{name}"), _api("service", f"STREAM.MSG.GET.{name}")]
        given += [_api("answers", f"DIRECT.GET.{name}")]
    for durable in topology.durables:
        if durable.service == service:
            name = f"{durable.stream_name}.{durable.name}"
            acknowledged = f"$JS.ACK.{name}.>"
            given += [_api("service", f"CONSUMER.INFO.{name}"), _api("answers", f"CONSUMER.MSG.NEXT.{name}")]
            given += [("service", acknowledged, acknowledged)]
    return given


def _api(kind: str, request: str) -> Exported:
    """Under another name than the server's own: under that, an account without streams is told that it has none."""
    return kind, f"{JETSTREAM}.{request}", f"{API}.{request}"


def _export(one: Exported, service: str) -> dict[str, object]:
    kind, subject, _ = one
    many = {"response_type": "stream"} if kind == "answers" else {}
    return {"service": subject, "accounts": [service], **many}


def _import(one: Exported) -> dict[str, object]:
    _, subject, local = one
    return {"service": {"account": BUS, "subject": subject}, **({"to": local} if local != subject else {})}
