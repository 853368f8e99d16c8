"""What compose mounts: complete, each process's own alone, and nobody else's to read."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from containers.prepared import DOOR, INSIDE, OUTSIDE, account, prepare
from devstack.components import SERVICES

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("compose") / "compose"
    prepare(made, NOW, {"COMPOSE_PROFILES": "traces"})
    return made


def contents(place: Path) -> dict[str, bytes]:
    return {str(file.relative_to(place)): file.read_bytes() for file in sorted(place.rglob("*")) if file.is_file()}


def test_no_other_account_reads_anything(place: Path) -> None:
    for path in (place, *place.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_each_process_has_its_own_secrets_and_no_other_copy_exists_where_it_is_mounted(place: Path) -> None:
    has = {folder.name: sorted(file.name for file in folder.iterdir()) for folder in (place / "keys").iterdir()}
    for service in SERVICES:
        wanted = {"database-url", *(["keyset.json"] if service.keyset else [])}
        wanted |= {"web": {"principal.jwk.json"}, "egress": {"oidc-client-secret"}}.get(service.face, set())
        assert has.pop(service.name) == sorted(wanted)
        if service.migrates:
            assert has.pop(f"migrate-{service.name}") == ["database-url"]
    roles = sorted({role for one in SERVICES for role in (one.role, f"{one.database}_owner")})
    assert has.pop("databases") == sorted(f"postgres-{role}" for role in roles)
    assert has == {"postgres": ["password"], "rdvpermis": ["oidc-client-secret"]}


def test_who_serves_is_not_who_migrates_and_both_verify_the_server(place: Path) -> None:
    for service in SERVICES:
        serving = (place / "keys" / service.name / "database-url").read_text()
        assert serving.startswith(f"postgresql://{service.role}:")
        urls = [serving]
        if service.migrates:
            owner = (place / "keys" / f"migrate-{service.name}" / "database-url").read_text()
            assert owner.startswith(f"postgresql://{service.database}_owner:")
            assert owner.partition("@")[0].rpartition(":")[2] != serving.partition("@")[0].rpartition(":")[2]
            urls.append(owner)
        for url in urls:
            assert url.endswith(f"@postgres/{service.database}?sslmode=verify-full&sslrootcert=/run/tls/ca.pem")


def test_two_authorities_so_that_a_browser_need_not_believe_the_inner_one(place: Path) -> None:
    inner, public = ((place / name / "ca.pem").read_bytes() for name in ("tls", "public"))
    assert inner != public
    for folder, names, authority in (("tls", INSIDE, inner), ("public", OUTSIDE, public)):
        assert all((place / folder / name / "ca.pem").read_bytes() == authority for name in names)
    door = place / "public" / "resapermis.localhost"
    assert (door / "door.pem").read_bytes() == (door / "tls.pem").read_bytes() + (door / "tls.key").read_bytes()


def test_made_again_it_keeps_every_secret_and_certificate(place: Path) -> None:
    before = contents(place)
    prepare(place, NOW, {"COMPOSE_PROFILES": "traces"})
    assert contents(place) == before


def test_made_again_it_keeps_what_somebody_set_and_the_doors_recognised_certificate(tmp_path: Path) -> None:
    place = tmp_path / "compose"
    prepare(place, NOW, {})
    door, settings = place / "public" / DOOR / "door.pem", place / ".env"
    local = door.read_bytes()
    settings.write_text(
        settings.read_text() + "# ours\nRESAPERMIS_PUBLIC_URL=https://resapermis.example?a=b\nRESAPERMIS_UID=0\n"
    )
    prepare(place, NOW + timedelta(days=6), {"COMPOSE_PROFILES": "traces"})
    said = settings.read_text().splitlines()
    assert {"RESAPERMIS_PUBLIC_URL=https://resapermis.example?a=b", "COMPOSE_PROFILES=traces"} < set(said)
    assert not [line for line in said if line in {"RESAPERMIS_UID=0", "# ours"}]
    assert door.read_bytes() != local, "renewed with the local authority's"
    door.write_bytes(b"of a recognised authority")
    prepare(place, NOW + timedelta(days=12), {})
    assert door.read_bytes() == b"of a recognised authority"
    assert "COMPOSE_PROFILES=traces" in settings.read_text()


def test_every_certificate_is_made_anew_where_that_is_asked_for_and_nothing_else(tmp_path: Path) -> None:
    place = tmp_path / "compose"
    prepare(place, NOW, {"COMPOSE_PROJECT_NAME": "ours"})
    before = contents(place)
    prepare(place, NOW, {}, renew=True)
    after = contents(place)
    assert before.keys() == after.keys()
    names = [*(("tls", name) for name in INSIDE), *(("public", name) for name in OUTSIDE)]
    wanted = {f"{authority}/{name}/tls.{kind}" for authority, name in names for kind in ("pem", "key")}
    assert {name for name in after if after[name] != before[name]} == wanted | {f"public/{DOOR}/door.pem"}


def test_containers_never_run_as_root() -> None:
    assert account(0, 0) == (65532, 65532)
    assert account(1000, 100) == (1000, 100)


@pytest.mark.root
def test_as_root_the_containers_account_is_given_what_they_mount_and_no_authoritys_key(place: Path) -> None:
    owned = {str(path.relative_to(place)) for path in place.rglob("*") if path.stat().st_uid == 65532}
    assert {
        "keys/postgres/password",
        "tls/basket/tls.key",
        "public/mail/tls.key",
        "nats.conf",
        "data/postgres",
    } <= owned
    assert {"tls/ca.key", "public/ca.key", ".env", "kept/postgres-administrator"} & owned == set()
