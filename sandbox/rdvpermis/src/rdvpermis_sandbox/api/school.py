"""The calls on the school itself, centres, mandates, candidates and planning."""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from rdvpermis_sandbox.api import wire
from rdvpermis_sandbox.api.gate import BASE, Caller
from rdvpermis_sandbox.domain import rules
from rdvpermis_sandbox.domain.model import Mandate, Refused
from rdvpermis_sandbox.domain.state import State


def router(state: State, admit: Callable[[Request], Any], send_request: Callable[[Mandate], None]) -> APIRouter:  # noqa: C901, PLR0915 - their table
    """Their calls; `send_request` mails the candidate the link to answer a mandate."""
    routes = APIRouter(prefix=BASE, tags=["auto-école"])
    who = Annotated[Caller, Depends(admit)]
    group_query = Annotated[str, Query(alias="groupe-permis")]

    @routes.get("/moi")
    async def me(caller: who) -> dict[str, Any]:
        return wire.school(state, caller.school)

    @routes.get("/employes")
    async def employees(caller: who) -> list[dict[str, Any]]:
        own = (each for each in state.world.employees.values() if each.school == caller.school.id)
        return [wire.employee(each, caller.school) for each in own]

    @routes.get("/employes/moi")
    async def myself(caller: who) -> dict[str, Any]:
        return wire.employee(caller.employee, caller.school)

    @routes.post("/centres/recherche")
    async def centres(_caller: who, body: wire.CentreSearch) -> list[dict[str, Any]]:
        wanted = body.filtre
        found = (each for each in state.world.centres.values() if each.department == wanted.codeDepartement)
        return [wire.centre(each) for each in found if wanted.estFerme in {None, each.closed}]

    @routes.get("/centres/{centre_id}")
    async def centre(_caller: who, centre_id: str) -> dict[str, Any]:
        return wire.centre(known_centre(centre_id))

    def known_centre(centre_id: str) -> Any:
        if centre_id not in state.world.centres:
            raise Refused("CENTRE_INCONNU")
        return state.world.centres[centre_id]

    @routes.get("/centres-favoris")
    async def favourites(caller: who) -> list[dict[str, Any]]:
        rows = []
        for key, chosen in state.truth.favourites.items():
            employee, _, group = key.partition("|")
            if employee == caller.employee.id:
                rows += [{"groupePermis": group, "centreId": name, "priorite": rank} for name, rank in chosen.items()]
        return rows

    @routes.post("/centres-favoris")
    async def choose(caller: who, body: wire.Favourites) -> list[dict[str, Any]]:
        chosen = {known_centre(each.centreId).id: int(each.priorite) for each in body.centresFavorisInput}
        state.truth.favourites[f"{caller.employee.id}|{body.groupePermis}"] = chosen
        state.dirty = True
        return [
            {"groupePermis": body.groupePermis, "centreId": name, "priorite": rank} for name, rank in chosen.items()
        ]

    @routes.post("/mandats", status_code=201)
    async def ask_mandate(caller: who, body: wire.MandateAsked) -> dict[str, Any]:
        school, now = caller.school.id, caller.now
        made = rules.ask_mandate(state, school, body.numeroDossier, body.nom, body.email, body.groupePermis, now)
        send_request(made)
        return wire.mandate(made)

    @routes.post("/candidats-mandats/recherche")
    async def mandates(caller: who, body: wire.MandateSearch) -> dict[str, Any]:
        if body.page < 1 or not 1 <= body.parPage <= 100:
            raise Refused("PARAMETRE_INVALIDE")
        wanted = body.filtre
        rows = []
        for mandate in state.by_school.get(caller.school.id, []):
            person = state.world.candidates[mandate.candidate]
            fits = _fits(wanted.nom, person.last_name) and _fits(wanted.numeroDossier, person.neph)
            if mandate.group == wanted.groupePermis and mandate.state in {"ACCEPTE", "EN_ATTENTE", "REFUSE"} and fits:
                rows.append(mandate)
        answer = wire.pages(rows, body.page, body.parPage)
        return answer | {"data": [wire.mandated(state, each) for each in answer["data"]]}

    @routes.post("/candidats/recherche")
    async def eligible(caller: who, body: wire.CandidateSearch) -> list[dict[str, Any]]:
        slot = state.slot(body.filtre.creneauId, caller.now)
        rows = []
        for mandate in state.by_school.get(caller.school.id, []):
            person = state.world.candidates[mandate.candidate]
            named = (body.filtre.nom or "").casefold() in person.last_name.casefold()
            if mandate.group != slot.group or not named or body.filtre.numeroDossier not in {None, person.neph}:
                continue
            code = None
            try:
                rules.judge_candidate(state, person, slot, caller.school, caller.now)
            except Refused as refusal:
                code = refusal.code
            verdict = {"estEligible": code is None} | ({"codeMotif": code, "motif": code} if code else {})
            rows.append({"candidat": wire.candidate(state, person), "eligibilite": verdict})
        return rows

    @routes.post("/planning/recherche")
    async def planning(caller: who, body: wire.PlanningSearch) -> list[dict[str, Any]]:
        wanted = body.filtre
        known_centre(wanted.centreId)
        rows = []
        for slot in state.slots_on(wanted.groupePermis, wanted.centreId, wanted.date, caller.now):
            row: dict[str, Any] = {"creneauDuPlanning": wire.slot(state, slot, caller.school)}
            booked = state.truth.exams.get(state.booked.get(slot.id, ""))
            if booked and booked.school == caller.school.id:
                whole = wire.exam(state, booked, slot, caller.school, caller.now)
                row["examenDuPlanning"] = {key: whole[key] for key in ("id", "candidat", "estModifiable", "estAnnule")}
            rows.append(row)
        return rows

    def free(caller: Caller, centre_ids: str, group: str, day: date) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for centre_id in centre_ids.split(","):
            slots = state.slots_on(group, known_centre(centre_id).id, day, caller.now)
            rows += [wire.slot(state, each, caller.school) for each in slots if each.starts_utc > caller.now]
        return [row for row in rows if row["statutDeReservation"] == "DISPONIBLE"]

    centres_query = Annotated[str, Query(alias="centres-ids")]

    @routes.get("/crenodispo/date")
    async def next_free(
        caller: who, centres: centres_query, group: group_query, day: Annotated[date, Query(alias="date")]
    ) -> str:
        for name in centres.split(","):
            known_centre(name)
        wanted = set(centres.split(","))
        days = sorted({key[2] for key in state.world.index if key[0] == group and key[1] in wanted and key[2] >= day})
        return next((each.isoformat() for each in days if free(caller, centres, group, each)), "")

    @routes.get("/crenodispo")
    async def all_free(
        caller: who, centres: centres_query, group: group_query, day: Annotated[date, Query(alias="date")]
    ) -> list[dict[str, Any]]:
        return free(caller, centres, group, day)

    return routes


def _fits(match: wire.Match | None, text: str) -> bool:
    if match is None or not match.query.strip():
        return True
    asked, known = "".join(match.query.split()).casefold(), "".join(text.split()).casefold()
    return asked == known if match.match == "EXACT" else asked in known
