import asyncio
from datetime import UTC, datetime

import httpx2
import pytest
import uvicorn

from rdvpermis_sandbox import snapshot
from rdvpermis_sandbox.app import Sandbox
from rdvpermis_sandbox.control.faults import ConnectionCut
from rdvpermis_sandbox.settings import Settings, read

pytestmark = pytest.mark.req("P-06")


async def test_the_country_has_national_scale(actor):
    world = actor.sandbox.state.world
    assert (len(world.centres), len(world.schools), len(world.candidates)) == (306, 1006, 30_180)
    assert len(world.slots) > 55_000


async def test_partial_answers_are_207_and_name_both_sides(school):
    one, two, *_ = await school.publish()
    await school.control("/rivals/take", {"slot": two})
    basket = await school.basket()
    answer = await school.call("POST", f"/paniers/{basket}/creneaux-multiples", {"creneauxId": [one, two]})
    assert answer.status_code == 207
    assert answer.json()["crenauxIdsAjoutesAuPanierEnEchec"] == [two]


async def test_a_basket_runs_out_after_fifteen_minutes(school):
    one, *_ = await school.publish()
    basket = await school.basket(one)
    await school.control("/clock", {"advance_seconds": 15 * 60})
    await school.sign_in_again()
    assert (await school.call("GET", f"/paniers/{basket}")).status_code == 404
    await school.basket(one)


@pytest.mark.parametrize("kind", ["seconds", "date", "absent"])
async def test_beyond_the_budget_is_429(school, kind):
    await school.control("/limits", {"employee": 2, "retry_after": kind})
    answers = [await school.call("GET", "/moi") for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    assert ("retry-after" in answers[2].headers) == (kind != "absent")


async def test_a_mandate_waits_for_the_candidates_answer(school):
    person = school.people(18)
    body = {"nom": person.last_name, "numeroDossier": person.neph, "groupePermis": person.group}
    assert (await school.call("POST", "/mandats", body)).status_code == 201
    link = (await school.http.get("/control/mails")).json()[0]["link"]
    assert "Accepter" in (await school.http.get(link)).text
    await school.http.post(link, data={"reponse": "accepter"})
    wanted = {"filtre": {"groupePermis": person.group, "numeroDossier": {"query": person.neph, "match": "EXACT"}}}
    rows = (await school.call("POST", "/candidats-mandats/recherche", wanted)).json()["data"]
    assert [row["mandat"]["etat"] for row in rows] == ["ACCEPTE"]


async def test_a_cut_before_commits_nothing_and_one_after_commits(school):
    await school.control("/faults", [{"kind": "cut_before", "path": "/paniers$", "count": 1}])
    with pytest.raises(ConnectionCut):
        await school.call("POST", "/paniers")
    assert (await school.call("GET", "/paniers")).json() == []
    await school.control("/faults", [{"kind": "cut_after", "method": "POST", "path": "/paniers$", "count": 1}])
    with pytest.raises(ConnectionCut):
        await school.call("POST", "/paniers")
    assert len((await school.call("GET", "/paniers")).json()) == 1


async def test_answers_on_demand(school):
    for kind, status in (("429", 429), ("5xx", 503), ("html", 200)):
        await school.control("/faults", [{"kind": kind, "path": "/moi", "count": 1}])
        assert (await school.call("GET", "/moi")).status_code == status


async def test_the_cut_after_commit_is_real_on_a_socket(school):
    server = uvicorn.Server(
        uvicorn.Config(school.sandbox.asgi, port=0, log_level="critical", lifespan="off", proxy_headers=False)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    await school.control("/faults", [{"kind": "cut_after", "method": "POST", "path": "/paniers$", "count": 1}])
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as caller:
        with pytest.raises(httpx2.TransportError):
            await caller.post("/api/v2/auto-ecole/paniers", headers={"authorization": f"Bearer {school.token}"})
    server.should_exit = True
    await serving
    assert len(school.sandbox.state.truth.baskets) == 1


async def test_the_truth_survives_a_restart(school, tmp_path):
    one, *_ = await school.publish()
    exam = await school.book(one, school.people(0).id)
    file = tmp_path / "state.json"
    snapshot.write(file, school.sandbox.state.truth)
    again = Sandbox(Settings(state_file=str(file)), lambda: datetime(2026, 11, 24, 10, tzinfo=UTC), lambda: "x")
    assert again.state.booked[one] == exam
    assert again.state.truth.accesses == school.sandbox.state.truth.accesses


def test_its_clients_secret_may_stand_in_a_file(tmp_path):
    file = tmp_path / "secret"
    file.write_text("drawn\n")
    assert (
        read({"RDVPERMIS_CLIENT_SECRET_FILE": str(file), "RDVPERMIS_CLIENT_SECRET": "other"}).client_secret == "drawn"
    )
    assert read({"RDVPERMIS_CLIENT_SECRET": "other"}).client_secret == "other"
    with pytest.raises(FileNotFoundError):
        read({"RDVPERMIS_CLIENT_SECRET_FILE": str(tmp_path / "none")})
