"""The process of mandate."""

import time

from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis_kit.clock import new_id
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_mandate.identities import Identities
from resapermis_mandate.mandates import Mandates
from resapermis_mandate.servicer import MandateServicer
from resapermis_mandate.settings import Settings
from resapermis_mandate.workers import MandatePolls
from resapermis_vault.blind_index import BlindIndex
from resapermis_vault.keyset import Keyset
from resapermis_vault.person_keys import PersonKeys

PACKAGE = "resapermis_mandate"


async def build(process: Process, settings: Settings) -> None:
    """Put MandateServicer, its peers and the poller of mandates into the process."""
    keyset = Keyset.load(settings.keyset_file)
    identities = Identities(keyset, PersonKeys(keyset, time.monotonic), BlindIndex(keyset.index_keys))
    egress = rdvpermis_pb2_grpc.RdvPermisServiceStub(process.peer("egress"))
    mandates = Mandates(process.engine, egress, identities, process.outbox, process.now)
    servicer = MandateServicer(process.engine, identities, mandates, process.outbox, process.now, new_id)
    process.server.add(
        mandate_pb2_grpc.add_MandateServiceServicer_to_server, servicer, "resapermis.mandate.v1.MandateService"
    )

    polls = MandatePolls(process.engine, mandates, process.now, settings.polls_at_once)

    async def poll() -> None:
        await polls.poll_due()

    process.every(settings.poll_seconds, "poll mandates", poll)


async def serve() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    await run_loop.serve("mandate", PACKAGE, settings, lambda process: build(process, settings))
