"""Which process of a stack is given which setting."""

from pathlib import Path

import pytest

from devstack.components import DATABASES, FOUNDATION, SERVICES, Ports, Service, service_named
from devstack.settings import Settings
from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_auth_gateway.settings import CLIENT_SECRETS, SIGNING_KEY, Database
from resapermis_auth_gateway.settings import Settings as OfBothFaces
from resapermis_auth_gateway.web.settings import WebSettings

SECRET = "RESAPERMIS_OIDC_CLIENT_SECRET"


def variable(field: str) -> str:
    return f"RESAPERMIS_{field.upper()}"


EGRESS_ALONE = [variable(name) for name in EgressSettings.model_fields if name not in OfBothFaces.model_fields]
SECRETS = [name + end for name in map(variable, (*CLIENT_SECRETS, SIGNING_KEY)) for end in ("", "_FILE")]


def settings(folder: Path, extra: dict[str, str]) -> Settings:
    (folder / "secrets").mkdir(exist_ok=True)
    (folder / "secrets" / "oidc-client-secret").write_text("the sandbox's", encoding="utf-8")
    urls = {role: f"postgresql://{role}@/{database.name}" for database in DATABASES for role in database.roles}
    return Settings(folder, Ports(9000), extra, {}, databases=urls)


def given_to(folder: Path, name: str) -> set[str]:
    """The processes with the value that was handed to the whole stack."""
    made = settings(folder, {name: "handed"})
    processes = {service.name: made.service(service) for service in SERVICES}
    processes |= {f"migrate {service.name}": made.migration(service) for service in SERVICES}
    processes |= {component: made.base(component) for component in FOUNDATION}
    processes |= {"bus-admin": made.bus_admin(), "rdvpermis": made.sandbox()}
    return {process for process, environment in processes.items() if environment.get(name) == "handed"}


@pytest.mark.parametrize("name", [*EGRESS_ALONE, *SECRETS])
def test_what_one_face_alone_reads_goes_to_no_other_process(tmp_path, name):
    assert given_to(tmp_path, name) == {"auth-gateway" if variable(SIGNING_KEY) in name else "egress"}


def test_the_issuer_goes_to_both_faces_and_what_every_service_reads_to_all_that_serve(tmp_path):
    assert given_to(tmp_path, "RESAPERMIS_OIDC_ISSUER") == {"auth-gateway", "egress"}
    assert given_to(tmp_path, "RESAPERMIS_LOG_LEVEL") == {*(service.name for service in SERVICES), "bus-admin"}


@pytest.mark.parametrize("name", SECRETS)
def test_a_stack_that_is_handed_a_secret_starts_each_face_and_migrates(tmp_path, monkeypatch, name):
    file = tmp_path / "handed"
    file.write_text("another provider's", encoding="utf-8")
    made = settings(tmp_path, {name: str(file)})
    for environment, kind in (
        (made.service(service_named("auth-gateway")), WebSettings),
        (made.service(service_named("egress")), EgressSettings),
        (made.migration(service_named("auth-gateway")), Database),
    ):
        with monkeypatch.context() as process:
            for variable_name, value in environment.items():
                process.setenv(variable_name, value)
            kind()


@pytest.mark.parametrize("name", [SECRET, f"{SECRET}_FILE", "RESAPERMIS_OIDC_CLIENT_KEY_FILE"])
def test_the_sandbox_secret_is_not_shown_to_a_provider_that_another_is_named_for(tmp_path, name):
    egress = service_named("egress")
    sandbox = str(tmp_path / "secrets" / "oidc-client-secret")
    assert settings(tmp_path, {}).service(egress)[f"{SECRET}_FILE"] == sandbox
    assert sandbox not in settings(tmp_path, {name: "handed"}).service(egress).values()


def test_a_service_lets_in_who_calls_it_and_no_other(tmp_path: Path) -> None:
    made = settings(tmp_path, {})
    let_in = {one.name: made.service(one)["RESAPERMIS_GRPC_CLIENTS"].split(",") for one in SERVICES}
    calls = {(one.name, other) for one in SERVICES for other in one.calls}
    assert {(client, name) for name, clients in let_in.items() for client in clients} == calls


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_service_connects_as_the_role_that_serves_and_migrates_as_the_owner(tmp_path: Path, service: Service) -> None:
    made, name = settings(tmp_path, {}), service.database
    assert made.service(service)["RESAPERMIS_DATABASE_URL"] == f"postgresql://{service.role}@/{name}"
    assert made.migration(service)["RESAPERMIS_DATABASE_URL"] == f"postgresql://{name}_owner@/{name}"
