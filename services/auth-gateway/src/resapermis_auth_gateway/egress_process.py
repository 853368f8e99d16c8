"""The egress process: `python -m resapermis_auth_gateway egress`. The only place where its rooms meet."""

from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import add_RdvPermisServiceServicer_to_server
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.provider import Provider
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_auth_gateway.egress.token_store import TokenStore
from resapermis_auth_gateway.replicas import join_replicas
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_vault.keyset import Keyset

PACKAGE = "resapermis_auth_gateway"


async def build(process: Process, settings: EgressSettings) -> RdvPermis:
    """Wire the client, the servicer and the two workers into the process."""
    client = Client(settings.rdvpermis_ca_file, settings.rdvpermis_connections)
    process.closers.append(client.close)
    secret = settings.oidc_client_secret.get_secret_value()
    provider = Provider(client, settings.oidc_issuer, settings.oidc_client_id, secret, process.now)
    # The outbox is the database's, and the web face publishes it: records are auth-gateway's.
    outbox = Outbox("auth-gateway")
    token_store = TokenStore(process.engine, Keyset.load(settings.keyset_file), provider, outbox, process.now)
    budget = Budget(
        Limits(settings.rdvpermis_employee_calls, settings.rdvpermis_school_calls, settings.rdvpermis_background_share)
    )
    breaker = Breaker(settings.rdvpermis_failures_to_open, settings.rdvpermis_open_seconds)
    rdvpermis = RdvPermis(
        settings.rdvpermis_url,
        client,
        token_store,
        budget,
        breaker,
        process.now,
        call_seconds=settings.rdvpermis_call_seconds,
    )
    process.server.add(
        add_RdvPermisServiceServicer_to_server,
        RdvPermisServicer(rdvpermis, process.now),
        "resapermis.rdvpermis.v1.RdvPermisService",
    )
    process.every(60, "renew ending tokens", token_store.renew_ending)
    process.every(3600, "forget dead tokens", token_store.forget_old)
    await join_replicas(process, budget.divide, lambda: budget.within(rdvpermis.clock()))
    return rdvpermis


async def serve() -> None:
    """Run until SIGTERM. The relay of the shared database is the web face's (`relay=False`)."""
    settings = EgressSettings()

    async def wire(process: Process) -> None:
        await build(process, settings)

    await run_loop.serve("egress", PACKAGE, settings, [], wire, relay=False)
