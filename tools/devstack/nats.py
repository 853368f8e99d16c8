"""The configuration of nats-server: TLS both ways, the certificate is the user, each user its own subjects."""

import json
from pathlib import Path

from devstack.components import OPERATOR, SERVICES, Service

JETSTREAM = (
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.CONSUMER.>",
    "$JS.ACK.>",
    "$JS.FC.>",
)
"""What a service may ask of JetStream, besides making its own streams. Nothing deletes or purges events: age does (7 days)."""


def configuration(listen: str, monitor: str, store: Path, tls: Path, name: str = "resapermis-local") -> str:
    """The text of nats.conf. `tls` holds ca.pem, tls.pem and tls.key of the server.

    `monitor` is where it answers how it is set, in clear and to anybody: loopback, or a network of services only.
    """
    users = ",\n".join("    " + json.dumps(user) for user in [*map(_user, SERVICES), {"user": OPERATOR}])
    return f"""# Written by devstack; changes are lost at the next start.
listen: {json.dumps(listen)}
http: {json.dumps(monitor)}
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
  timeout: 5
}}
authorization {{
  users = [
{users}
  ]
}}
"""


def _user(service: Service) -> dict[str, object]:
    """A service publishes its own events and audit records and reads by pulling; none publishes in another's name."""
    # One `*` is one word: audit publishes resapermis.audit.v1.CheckpointSigned, not resapermis.audit.v1.Record.basket.
    events = [f"resapermis.{context}.v1.*" for context in service.publishes]
    twins = [twin.name for twin in SERVICES if twin.database == service.database]
    records = [f"resapermis.audit.v1.Record.{twin}" for twin in twins]
    # Release 0.1.0 called the stream so; its source replaces it at the first start (events.streams.ensure_streams).
    renamed = f"$JS.API.STREAM.DELETE.facts-{service.name}"
    own = [
        f"$JS.API.STREAM.{act}.{name}-{service.name}" for act in ("CREATE", "UPDATE") for name in ("events", "records")
    ]
    return {
        "user": service.name,
        "permissions": {
            "publish": {"allow": [*events, *records, *JETSTREAM, *own, renamed]},
            "subscribe": ["_INBOX.>", *(f"resapermis.{context}.v1.*" for context in service.subscribes)],
        },
    }
