"""mandate: `python -m resapermis_mandate` serves, `migrate` updates the database."""

import sys
import time

from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.mandate.v1.events_pb2 import CandidateCreated, MandateChanged
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis_kit.clock import new_id
from resapermis_kit.process import run
from resapermis_kit.process.process import Process
from resapermis_mandate.asking import Asking
from resapermis_mandate.people import People
from resapermis_mandate.servicer import MandateServicer
from resapermis_mandate.settings import Settings
from resapermis_vault.blind_index import BlindIndex
from resapermis_vault.keyset import Keyset
from resapermis_vault.person_keys import PersonKeys

PACKAGE = "resapermis_mandate"


async def build(process: Process, settings: Settings) -> None:
    """Wire mandate."""
    keyset = Keyset.load(settings.keyset_file)
    people = People(keyset, PersonKeys(keyset, time.monotonic), BlindIndex(keyset.index_keys))
    egress = rdvpermis_pb2_grpc.RdvPermisServiceStub(process.peer("egress"))
    asking = Asking(process.engine, egress, people, process.outbox, process.now)
    servicer = MandateServicer(process.engine, people, asking, process.outbox, process.now, new_id)
    process.server.add(
        mandate_pb2_grpc.add_MandateServiceServicer_to_server, servicer, "resapermis.mandate.v1.MandateService"
    )

    async def look() -> None:
        await asking.look_at_due(settings.looks_at_once)

    process.every(settings.look_seconds, "look at mandates", look)


async def serve() -> None:
    """Run until told to stop."""
    settings = Settings()
    facts = [MandateChanged.DESCRIPTOR, CandidateCreated.DESCRIPTOR]
    await run.serve("mandate", PACKAGE, settings, facts, lambda process: build(process, settings))


def main() -> None:
    """Entry point."""
    sys.exit(run.main(sys.argv[1:], PACKAGE, lambda: Settings().database_url, serve))


if __name__ == "__main__":
    main()
