"""The first steps of a deployment: secrets are made once, handed to whom they belong, replaced without a gap."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url

import resapermisctl
from ctl.steps import cluster, databases, keys, platform
from devstack.components import DATABASES, SERVICES, service_named
from resapermis_kit.errors import Failure
from resapermis_kit.roles import __main__ as roles
from resapermis_kit.roles.handover import Database
from resapermis_kit.rpc.auth import Principal, Signer, Verifier
from resapermis_vault.keyset import read

pytestmark = pytest.mark.req("P-05")
WHO = Principal("account-1", "session-1", "school-1", ("school_manager",))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept") / "secrets"
    keys.init(folder, {keys.CLIENT_SECRET: "from-the-provider"})
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy, to change."""
    for file in made.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / file.name).chmod(0o600)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_what_is_there_is_kept_and_what_is_missing_is_made(folder: Path) -> None:
    before = contents(folder)
    assert keys.init(folder, {keys.CLIENT_SECRET: "another"}) == []
    assert contents(folder) == before
    (folder / "keyset-mandate.json").unlink()
    assert keys.init(folder, {keys.MAIL_PASSWORD: "of-the-mails"}) == ["keyset-mandate.json", "smtp-password"]
    after = contents(folder)
    assert {name: after[name] for name in before if name != "keyset-mandate.json"} == {
        name: content for name, content in before.items() if name != "keyset-mandate.json"
    }
    assert all(file.stat().st_mode & 0o077 == 0 for file in folder.iterdir())


def test_no_process_is_handed_what_is_another_one_s(folder: Path) -> None:
    keys.init(folder, {keys.MAIL_PASSWORD: "of-the-mails"})
    handed = {service.name: keys.files_of(service, folder) for service in SERVICES}
    holders = {name: {service for service, files in handed.items() if name in files} for name in _names(handed)}
    assert holders.pop("keyset.json") == {service.name for service in SERVICES if service.keyset}
    assert holders == {
        keys.PRIVATE: {"auth-gateway"},
        keys.PUBLIC: {"auth-gateway"},
        keys.CLIENT_SECRET: {"egress"},
        keys.MAIL_PASSWORD: {"notification"},
    }
    sets = [files["keyset.json"] for files in handed.values() if "keyset.json" in files]
    assert len(sets) == len(set(sets)), "each its own"


def _names(handed: dict[str, dict[str, bytes]]) -> set[str]:
    return {name for files in handed.values() for name in files}


def sign(folder: Path) -> str:
    return Signer(folder / keys.PRIVATE).sign(WHO, "basket")


def verified(folder: Path, token: str) -> bool:
    """By a process that starts with the folder's files."""
    try:
        return Verifier(folder / keys.PUBLIC, "basket").verify(token) == WHO
    except Failure:
        return False


def test_the_key_of_principals_is_replaced_without_a_gap(folder: Path) -> None:
    waiting, old = Verifier(folder / keys.PUBLIC, "basket"), sign(folder)
    keys.rotate(folder, keys.PRINCIPAL, "add")
    assert verified(folder, old)
    assert sign(folder).split(".")[0] == old.split(".")[0], "who starts now signs with the old one"
    published = contents(folder)
    keys.rotate(folder, keys.PRINCIPAL, "add")
    assert contents(folder) == published, "the same again changes nothing"
    keys.rotate(folder, keys.PRINCIPAL, "promote")
    fresh = sign(folder)
    assert fresh.split(".")[0] != old.split(".")[0]
    assert verified(folder, old)
    assert verified(folder, fresh)
    assert waiting.verify(fresh) == WHO, "who started before it was added finds it"
    keys.rotate(folder, keys.PRINCIPAL, "retire")
    assert not verified(folder, old)
    assert verified(folder, fresh)


def test_a_promotion_that_was_cut_off_is_finished_by_the_next(folder: Path) -> None:
    keys.rotate(folder, keys.PRINCIPAL, "add")
    (folder / keys.PRIVATE).write_bytes((folder / keys.NEXT).read_bytes())
    public = (folder / keys.PUBLIC).read_bytes()
    keys.rotate(folder, keys.PRINCIPAL, "promote")
    assert not (folder / keys.NEXT).exists()
    assert (folder / keys.PUBLIC).read_bytes() == public, "the old key still verifies"


def test_steps_out_of_turn_change_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(keys.Refused, match="add a key first"):
        keys.rotate(folder, keys.PRINCIPAL, "promote")
    with pytest.raises(keys.Refused, match="as it was"):
        keys.rotate(folder, "mandate", "promote")
    keys.rotate(folder, keys.PRINCIPAL, "add")
    before = contents(folder)
    with pytest.raises(keys.Refused, match="promote it first"):
        keys.rotate(folder, keys.PRINCIPAL, "retire")
    assert contents(folder) == before
    with pytest.raises(keys.Refused, match="is not there"):
        keys.rotate(tmp_path / "nowhere", keys.PRINCIPAL, "add")


def test_a_keyset_goes_through_the_same_three_steps(folder: Path) -> None:
    file = folder / "keyset-egress.json"
    primaries = []
    for step in keys.STEPS:
        keys.rotate(folder, "egress", step)
        document = read(file)["kek"]
        primaries.append((document["primaryKeyId"], len(document["key"])))
    (added, two), (promoted, still), (retired, one) = primaries
    assert (two, still, one) == (2, 2, 1)
    assert added != promoted == retired


@pytest.mark.parametrize("which", [name for name in keys.SETS if name not in {keys.PRINCIPAL, "egress"}])
def test_no_key_is_taken_from_what_nothing_seals_anew(folder: Path, which: str) -> None:
    keys.rotate(folder, which, "add")
    keys.rotate(folder, which, "promote")
    before = (folder / f"keyset-{which}.json").read_bytes()
    with pytest.raises(keys.Refused, match="lost for good"):
        keys.rotate(folder, which, "retire")
    assert (folder / f"keyset-{which}.json").read_bytes() == before


def test_egress_is_handed_a_copy_of_the_keyset_that_sealed_its_tokens_in_0_2_0(folder: Path) -> None:
    (folder / "keyset-egress.json").unlink()
    assert resapermisctl.main(["keys", "hand-on", "--output", str(folder)]) == 0
    assert (folder / "keyset-egress.json").read_bytes() == (folder / "keyset-auth-gateway.json").read_bytes()
    keys.rotate(folder, "egress", "add")
    before = contents(folder)
    assert keys.hand_on(folder) == []
    assert contents(folder) == before


def test_every_database_is_handed_over_by_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[Database] = []

    async def ensure(url: str, databases: Sequence[Database], passwords: Mapping[str, str]) -> list[str]:
        handed.extend(databases)
        return []

    monkeypatch.setattr(roles, "ensure", ensure)
    monkeypatch.delenv("RESAPERMIS_ADMIN_URL", raising=False)
    assert resapermisctl.main(["database", "handover"]) == 2
    monkeypatch.setenv("RESAPERMIS_ADMIN_URL", "postgresql://postgres@db.example/postgres")
    assert resapermisctl.main(["database", "handover"]) == 0
    assert tuple(handed) == DATABASES


# In a cluster


@dataclass
class Api:
    """An API server that knows Secrets: 201 at first, then 409; `refuses` with another status."""

    namespace: str = "resa"
    secrets: dict[str, Any] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    refuses: int = 0

    def post(self, path: str, token: str, body: dict[str, Any]) -> int:
        self.tokens.add(token)
        name = body["metadata"]["name"]
        if self.refuses:
            return self.refuses
        if path != f"/api/v1/namespaces/{self.namespace}/secrets":
            return 404
        if name in self.secrets:
            return 409
        self.secrets[name] = body
        return 201


@pytest.fixture
def api() -> Iterator[tuple[Api, cluster.ApiServer]]:
    known = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(known.post(self.path, self.headers["Authorization"], body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield known, cluster.ApiServer(f"http://127.0.0.1:{server.server_port}", "of-the-pod", None, known.namespace)
    server.shutdown()
    server.server_close()


def test_secrets_are_made_in_the_cluster_once(folder: Path, api: tuple[Api, cluster.ApiServer]) -> None:
    known, server = api
    wanted = cluster.secrets_of(folder, "resa")
    assert set(cluster.create(wanted, server).values()) == {"made"}
    assert known.tokens == {"Bearer of-the-pod"}
    first = dict(known.secrets)
    del known.secrets["resa-mandate"]
    keys.init(folder / "others", {})
    again = cluster.create(cluster.secrets_of(folder / "others", "resa"), server)
    assert {name for name, what in again.items() if what == "made"} == {"resa-mandate"}
    assert {name: one for name, one in known.secrets.items() if name != "resa-mandate"} == {
        name: one for name, one in first.items() if name != "resa-mandate"
    }
    held = first["resa-auth-gateway"]["data"]
    assert base64.b64decode(held[keys.PUBLIC]) == (folder / keys.PUBLIC).read_bytes()


def test_each_database_has_a_role_that_owns_and_each_process_its_own_with_passwords_of_their_own(folder: Path) -> None:
    made = {one["metadata"]["name"]: one for one in databases.secrets_of(folder, "resa", "resa-db-rw:5433")}
    assert len(made) == len(SERVICES) + len(DATABASES)
    passwords = set()
    for database in {service.database for service in SERVICES}:
        for role in (*(one.role for one in SERVICES if one.database == database), f"{database}_owner"):
            secret = made[f"resa-db-{role.replace('_', '-')}"]
            assert secret["type"] == "kubernetes.io/basic-auth"
            told = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
            assert told["username"] == role
            address = make_url(told["url"])
            assert (address.username, address.password, address.database) == (role, told["password"], database)
            assert (address.host, address.port, address.query["sslmode"]) == ("resa-db-rw", 5433, "verify-full")
            passwords.add(told["password"])
    assert len(passwords) == len(made)
    assert databases.secrets_of(folder, "resa", "resa-db-rw:5433") == list(made.values())


def test_databases_come_along_where_their_host_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["keys", "init", "--output", str(folder), "--kubernetes"]
    assert resapermisctl.main(words) == 0
    few = {one["metadata"]["name"] for one in json.loads(capsys.readouterr().out)["items"]}
    assert resapermisctl.main([*words, "--database-host", "db"]) == 0
    many = {one["metadata"]["name"] for one in json.loads(capsys.readouterr().out)["items"]}
    assert {name for name in many - few if name.startswith("resapermis-db-")} == many - few
    assert len(many - few) == len(SERVICES) + len(DATABASES)


def test_an_api_server_that_refuses_or_is_away_is_told_without_a_secret(
    folder: Path, api: tuple[Api, cluster.ApiServer]
) -> None:
    known, server = api
    known.refuses = 403
    with pytest.raises(cluster.NoCluster) as told:
        cluster.create(cluster.secrets_of(folder, "resa"), server)
    assert str(told.value) == "the API server answered 403 to the Secret resa-auth-gateway"
    away = cluster.ApiServer("http://127.0.0.1:9", "of-the-pod", None, "resa")
    with pytest.raises(cluster.NoCluster, match="does not answer"):
        cluster.create(cluster.secrets_of(folder, "resa"), away)


def test_a_pod_knows_its_api_server_and_nobody_else_does(tmp_path: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    with pytest.raises(cluster.NoCluster, match="no API server to ask"):
        cluster.ApiServer.of_pod(environment, tmp_path)
    (tmp_path / "token").write_text("of-the-pod\n")
    (tmp_path / "namespace").write_text("resa")
    found = cluster.ApiServer.of_pod(environment, tmp_path)
    assert found == cluster.ApiServer("https://[fd00::1]:6443", "of-the-pod", tmp_path / "ca.crt", "resa")
    with pytest.raises(cluster.NoCluster):
        cluster.ApiServer.of_pod({}, tmp_path)


# The command line


def test_the_command_prints_names_and_secrets_only_where_they_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "given"
    secret.write_text("from-the-provider\n")
    output = tmp_path / "kept"
    init = ["keys", "init", "--output", str(output)]
    assert resapermisctl.main([*init, "--oidc-client-secret", str(secret)]) == 0
    told = capsys.readouterr().out
    assert "oidc-client-secret" in json.loads(told)["made"]
    assert "from-the-provider" not in told
    assert resapermisctl.main([*init, "--kubernetes", "--name", "r", "--namespace", "n"]) == 0
    first = capsys.readouterr().out
    assert resapermisctl.main([*init, "--kubernetes", "--name", "r", "--namespace", "n"]) == 0
    assert capsys.readouterr().out == first, "a folder that keeps them gives the same again"
    (egress,) = [one for one in json.loads(first)["items"] if one["metadata"]["name"] == "r-egress"]
    assert egress["metadata"]["namespace"] == "n"
    assert base64.b64decode(egress["data"]["oidc-client-secret"]) == b"from-the-provider"
    assert resapermisctl.main(["keys", "rotate", "principal", "retire", "--output", str(tmp_path / "none")]) == 2
    assert resapermisctl.main(["keys", "init"]) == 2
    assert "name a folder" in capsys.readouterr().err


# Whether all is ready


@pytest.fixture
def process() -> Iterator[tuple[list[str], str]]:
    """What a process names as not ready, and where it is asked."""
    problems: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (", ".join(problems) or "ready").encode()
            self.send_response(503 if problems else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield problems, f"http://127.0.0.1:{server.server_port}/readyz"
    server.shutdown()
    server.server_close()


def test_every_process_is_asked_and_each_problem_is_told(
    process: tuple[list[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems, url = process
    assert resapermisctl.main(["platform", "status", url]) == 0
    problems.append("database")
    urls = tmp_path / "urls"
    urls.write_text(f"# all\n{url}\n\nhttp://127.0.0.1:9/readyz\nhttp://nobody.invalid:1/readyz\n")
    capsys.readouterr()
    assert resapermisctl.main(["platform", "status", "--urls", str(urls)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert not told["ready"]
    assert [one["problem"] for one in told["processes"]] == [
        "database",
        "no answer (ConnectError)",
        "no such name",
    ]


async def test_waiting_ends_with_the_last_that_is_ready(
    process: tuple[list[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    problems, url = process
    problems.append("starting")
    monkeypatch.setattr(platform, "BETWEEN_SECONDS", 0.05)
    threading.Timer(0.2, problems.clear).start()
    assert [one.problem for one in await platform.until_ready([url], 10)] == [""]
    problems.append("bus")
    assert [one.problem for one in await platform.until_ready([url], 0.1)] == ["bus"]


def test_a_local_stack_is_asked_on_its_ports() -> None:
    assert f"http://127.0.0.1:{8080 + service_named('basket').grpc + 10}/healthz/platform" in platform.local(8080)
