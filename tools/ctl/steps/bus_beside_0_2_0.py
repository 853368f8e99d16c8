"""The configuration of nats-server while services of release 0.2.0 and of this one run side by side (ADR 38). It goes with 0.4.0.

In 0.2.0 all services are users of one account, with lists of what each may publish, and make their streams themselves. Here they
keep that; and what this release's services ask for under the name that an account of their own gives it (`bus.API`) is the
server's own API. So both read and write the same streams by the same durable consumers. Once the last process of 0.2.0 has gone,
the accounts of ADR 33 take its place: consumers then ask the sources for what they had not handled.
"""

import json
from pathlib import Path

from devstack import nats
from devstack.components import OPERATOR, SERVICES
from devstack.settings import ROOT
from resapermis_kit.events.streams import API, EVENTS, RECORDS
from resapermis_kit.process.topology import Topology

_ALLOWED_IN_0_2_0 = (
    "$JS.API.INFO",
    "$JS.API.STREAM.INFO.*",
    "$JS.API.STREAM.NAMES",
    "$JS.API.STREAM.MSG.GET.*",
    "$JS.API.DIRECT.GET.>",
    "$JS.API.CONSUMER.>",
    "$JS.ACK.>",
    "$JS.FC.>",
)
_ASKED_NOW = ("STREAM.INFO.*", "STREAM.MSG.GET.*", "DIRECT.GET.>", "CONSUMER.INFO.>", "CONSUMER.MSG.NEXT.>")


def configuration(listen: str, monitor: str, store: Path, tls: Path, name: str = "resapermis-local") -> str:
    """The text of nats.conf; parameters as of `nats.configuration`."""
    head, _, _ = nats.configuration(listen, monitor, store, tls, name).partition("accounts {")
    topology = Topology.load(ROOT / "policies")
    users = [*(_user(topology, service) for service in topology.services), {"user": OPERATOR}]
    listed = ",\n".join(f"    {json.dumps(user)}" for user in users)
    mapping = json.dumps({f"{API}.>": f"{nats.JETSTREAM}.>"})
    return f"{head}mappings: {mapping}\nauthorization {{\n  users = [\n{listed}\n  ]\n}}\n"


def _user(topology: Topology, service: str) -> dict[str, object]:
    twins = [twin.name for twin in SERVICES if twin.database == _database(service)]
    sources = [twin for twin in twins if twin in topology.publishes]
    own = [subject for source in sources for subject in topology.subjects(EVENTS, source)]
    records = [f"{topology.subjects(RECORDS, sources[0])[0].rpartition('.')[0]}.{twin}" for twin in twins]
    made = [
        f"{nats.JETSTREAM}.STREAM.{act}.{kind}-{service}" for act in ("CREATE", "UPDATE") for kind in (EVENTS, RECORDS)
    ]
    renamed = f"{nats.JETSTREAM}.STREAM.DELETE.facts-{service}"
    asked = [f"{API}.{request}" for request in _ASKED_NOW]
    heard = [f"resapermis.{context}.v1.*" for context in ("iam", *topology.listens.get(service, ()))]
    return {
        "user": service,
        "permissions": {
            "publish": {"allow": [*own, *records, *_ALLOWED_IN_0_2_0, *asked, *made, renamed]},
            "subscribe": ["_INBOX.>", *(heard if service in topology.listens else ())],
        },
    }


def _database(service: str) -> str:
    return next(one.database for one in SERVICES if one.name == service)
