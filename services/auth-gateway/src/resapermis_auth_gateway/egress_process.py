"""The egress process: `python -m resapermis_auth_gateway egress`. The only place where its rooms meet."""

from resapermis.oidc.v1.oidc_pb2_grpc import add_ProviderServiceServicer_to_server
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import add_RdvPermisServiceServicer_to_server
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.call_journal import CallJournal
from resapermis_auth_gateway.egress.claim_names import ClaimNames
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.oidc.client_auth import Credentials, read_key
from resapermis_auth_gateway.egress.oidc.provider import Provider, Registration
from resapermis_auth_gateway.egress.provider_servicer import ProviderServicer
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.revocations import Revocations
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_auth_gateway.egress.token_store import TokenStore
from resapermis_auth_gateway.replicas import join_replicas
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_vault.keyset import Keyset

PACKAGE = "resapermis_auth_gateway"
REVOKE_EVERY_SECONDS = 1.0


def registration(settings: EgressSettings) -> Registration:
    """What we are to the provider; ValueError for a key that is none."""
    return Registration(
        issuer=settings.oidc_issuer,
        credentials=Credentials(
            settings.oidc_client_id,
            settings.oidc_client_secret.get_secret_value(),
            read_key(settings.oidc_client_key_file) if settings.oidc_client_key_file else None,
            settings.oidc_client_auth,
        ),
        redirect_uri=f"{settings.public_url}/auth/callback",
        home=f"{settings.public_url}/",
        scopes=settings.oidc_scopes,
        claims=ClaimNames.parse(settings.oidc_claims),
        prompt=settings.oidc_prompt,
        grant_prompt=settings.oidc_grant_prompt,
        max_age_seconds=settings.oidc_max_age_seconds,
        call_seconds=settings.oidc_timeout_seconds,
    )


async def build(process: Process, settings: EgressSettings) -> RdvPermis:
    """Wire the client, the servicers, the workers and the journal of calls into the process."""
    client = Client(settings.rdvpermis_ca_file, settings.rdvpermis_connections)
    process.closers.append(client.close)
    provider = Provider(client, registration(settings), process.now)
    vault = Keyset.load(settings.keyset_file)
    token_store = TokenStore(process.engine, vault, provider, process.outbox, process.denials.add, process.now)
    budget = Budget(
        Limits(settings.rdvpermis_employee_calls, settings.rdvpermis_school_calls, settings.rdvpermis_background_share)
    )
    breaker = Breaker(settings.rdvpermis_failures_to_open, settings.rdvpermis_open_seconds)
    calls = CallJournal(lambda records: process.outbox.emit(process.engine, process.now(), *records), process.now)
    process.workers.append(calls.run)
    process.closers.append(calls.close)
    rdvpermis = RdvPermis(
        settings.rdvpermis_url,
        client,
        token_store,
        budget,
        breaker,
        calls,
        process.now,
        call_seconds=settings.rdvpermis_call_seconds,
    )
    process.server.add(
        add_RdvPermisServiceServicer_to_server,
        RdvPermisServicer(rdvpermis, process.now),
        "resapermis.rdvpermis.v1.RdvPermisService",
    )
    process.server.add(
        add_ProviderServiceServicer_to_server,
        ProviderServicer(provider, vault, process.engine, rdvpermis, process.now, ends=settings.oidc_revocation_ends),
        "resapermis.oidc.v1.ProviderService",
    )
    revocations = Revocations(
        process.engine,
        vault,
        provider,
        process.outbox,
        process.denials.add,
        process.now,
        ends=settings.oidc_revocation_ends,
    )
    process.every(REVOKE_EVERY_SECONDS, "revoke ended tokens", revocations.revoke_due)
    process.every(60, "renew ending tokens", token_store.renew_ending)
    process.every(60, "end grants that ran out", token_store.end_run_out)
    process.every(60, "end what another provider gave", token_store.end_other_providers)
    process.every(3600, "forget dead tokens", token_store.forget_old)
    await join_replicas(process, budget.divide, lambda: budget.within(rdvpermis.clock()))
    return rdvpermis


async def serve() -> None:
    """Run until SIGTERM. The outbox of the shared database is auth-gateway's, which publishes it."""
    settings = EgressSettings()

    async def wire(process: Process) -> None:
        await build(process, settings)

    await run_loop.serve("egress", PACKAGE, settings, wire, source="auth-gateway")
