"""RdvPermis' API for schools, `/api/v2/auto-ecole`: each path, status and spelling as in its table; thin over the rules."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from rdvpermis_sandbox import rules, shapes
from rdvpermis_sandbox.clock import Clock
from rdvpermis_sandbox.limits import Limits
from rdvpermis_sandbox.model import Employee, Mandate, Refused, School
from rdvpermis_sandbox.state import State
from rdvpermis_sandbox.tokens import Tokens

BASE = "/api/v2/auto-ecole"


class Turned(Exception):
    """Turned away before any rule: 401, 403 or 429."""

    def __init__(self, status: int, code: str, headers: dict[str, str]) -> None:
        super().__init__(code)
        self.status, self.code, self.headers = status, code, headers


class Asking:
    """Who asks, and when."""

    def __init__(self, employee: Employee, school: School, now: datetime) -> None:
        self.employee, self.school, self.now = employee, school, now


def gate(state: State, tokens: Tokens, limits: Limits, clock: Clock) -> Callable[[Request], Any]:
    """The dependency before every call: token, budget, count, and time passing."""

    async def ask(request: Request) -> Asking:
        now = clock.now()
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        found = tokens.access(token, now) if scheme.casefold() == "bearer" else None
        if found is None:
            raise Turned(401, "NON_AUTHENTIFIE", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if "rdvpermis" not in found.scope.split():
            raise Turned(403, "ACTION_INTERDITE", {"WWW-Authenticate": 'Bearer error="insufficient_scope"'})
        employee = state.world.employees[found.employee]
        school = state.school(employee.school)
        who, allowed = (school.id, limits.online) if school.online else (employee.id, limits.employee)
        route = getattr(request.scope.get("route"), "path", request.url.path).removeprefix(BASE)
        state.calls[f"{employee.id}|{request.method} {route}"] += 1
        refused = limits.take(who, allowed, now)
        if refused is not None:
            raise Turned(429, "TROP_DE_REQUETES", refused)
        state.touch(now)
        return Asking(employee, school, now)

    return ask


def router(state: State, ask: Callable[[Request], Any], told: Callable[[Mandate], None]) -> APIRouter:  # noqa: C901, PLR0915 - their table
    """Their table of calls; `told` sends the candidate the mandate's mail."""
    routes = APIRouter(prefix=BASE, tags=["auto-école"])
    who = Annotated[Asking, Depends(ask)]
    group_query = Annotated[str, Query(alias="groupe-permis")]

    @routes.get("/moi")
    async def me(asking: who) -> dict[str, Any]:
        return shapes.school(state, asking.school)

    @routes.get("/employes")
    async def employees(asking: who) -> list[dict[str, Any]]:
        own = (each for each in state.world.employees.values() if each.school == asking.school.id)
        return [shapes.employee(each, asking.school) for each in own]

    @routes.get("/employes/moi")
    async def myself(asking: who) -> dict[str, Any]:
        return shapes.employee(asking.employee, asking.school)

    @routes.post("/centres/recherche")
    async def centres(_asking: who, body: shapes.CentreSearch) -> list[dict[str, Any]]:
        wanted = body.filtre
        found = (each for each in state.world.centres.values() if each.department == wanted.codeDepartement)
        return [shapes.centre(each) for each in found if wanted.estFerme in {None, each.closed}]

    @routes.get("/centres/{centre_id}")
    async def centre(_asking: who, centre_id: str) -> dict[str, Any]:
        return shapes.centre(known_centre(centre_id))

    def known_centre(centre_id: str) -> Any:
        if centre_id not in state.world.centres:
            raise Refused("CENTRE_INCONNU")
        return state.world.centres[centre_id]

    @routes.get("/centres-favoris")
    async def favourites(asking: who) -> list[dict[str, Any]]:
        rows = []
        for key, chosen in state.truth.favourites.items():
            employee, _, group = key.partition("|")
            if employee == asking.employee.id:
                rows += [{"groupePermis": group, "centreId": name, "priorite": rank} for name, rank in chosen.items()]
        return rows

    @routes.post("/centres-favoris")
    async def choose(asking: who, body: shapes.Favourites) -> list[dict[str, Any]]:
        chosen = {known_centre(each.centreId).id: int(each.priorite) for each in body.centresFavorisInput}
        state.truth.favourites[f"{asking.employee.id}|{body.groupePermis}"] = chosen
        state.dirty = True
        return [
            {"groupePermis": body.groupePermis, "centreId": name, "priorite": rank} for name, rank in chosen.items()
        ]

    @routes.post("/mandats", status_code=201)
    async def ask_mandate(asking: who, body: shapes.MandateAsked) -> dict[str, Any]:
        school, now = asking.school.id, asking.now
        made = rules.ask_mandate(state, school, body.numeroDossier, body.nom, body.email, body.groupePermis, now)
        told(made)
        return shapes.mandate(made)

    @routes.post("/candidats-mandats/recherche")
    async def mandates(asking: who, body: shapes.MandateSearch) -> dict[str, Any]:
        if body.page < 1 or not 1 <= body.parPage <= 100:
            raise Refused("PARAMETRE_INVALIDE")
        wanted = body.filtre
        rows = []
        for mandate in state.by_school.get(asking.school.id, []):
            person = state.world.candidates[mandate.candidate]
            fits = _fits(wanted.nom, person.last_name) and _fits(wanted.numeroDossier, person.neph)
            if mandate.group == wanted.groupePermis and mandate.state in {"ACCEPTE", "EN_ATTENTE", "REFUSE"} and fits:
                rows.append(mandate)
        answer = shapes.pages(rows, body.page, body.parPage)
        return answer | {"data": [shapes.mandated(state, each) for each in answer["data"]]}

    @routes.post("/candidats/recherche")
    async def eligible(asking: who, body: shapes.CandidateSearch) -> list[dict[str, Any]]:
        slot = state.slot(body.filtre.creneauId, asking.now)
        rows = []
        for mandate in state.by_school.get(asking.school.id, []):
            person = state.world.candidates[mandate.candidate]
            named = (body.filtre.nom or "").casefold() in person.last_name.casefold()
            if mandate.group != slot.group or not named or body.filtre.numeroDossier not in {None, person.neph}:
                continue
            code = None
            try:
                rules.judge_candidate(state, person, slot, asking.school, asking.now)
            except Refused as refusal:
                code = refusal.code
            verdict = {"estEligible": code is None} | ({"codeMotif": code, "motif": code} if code else {})
            rows.append({"candidat": shapes.candidate(state, person), "eligibilite": verdict})
        return rows

    @routes.post("/planning/recherche")
    async def planning(asking: who, body: shapes.PlanningSearch) -> list[dict[str, Any]]:
        wanted = body.filtre
        known_centre(wanted.centreId)
        rows = []
        for slot in state.slots_on(wanted.groupePermis, wanted.centreId, wanted.date, asking.now):
            row: dict[str, Any] = {"creneauDuPlanning": shapes.slot(state, slot, asking.school)}
            booked = state.truth.exams.get(state.booked.get(slot.id, ""))
            if booked and booked.school == asking.school.id:
                whole = shapes.exam(state, booked, slot, asking.school, asking.now)
                row["examenDuPlanning"] = {key: whole[key] for key in ("id", "candidat", "estModifiable", "estAnnule")}
            rows.append(row)
        return rows

    def free(asking: Asking, centre_ids: str, group: str, day: date) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for centre_id in centre_ids.split(","):
            slots = state.slots_on(group, known_centre(centre_id).id, day, asking.now)
            rows += [shapes.slot(state, each, asking.school) for each in slots if each.starts_utc > asking.now]
        return [row for row in rows if row["statutDeReservation"] == "DISPONIBLE"]

    centres_query = Annotated[str, Query(alias="centres-ids")]

    @routes.get("/crenodispo/date")
    async def next_free(
        asking: who, centres: centres_query, group: group_query, day: Annotated[date, Query(alias="date")]
    ) -> str:
        for name in centres.split(","):
            known_centre(name)
        wanted = set(centres.split(","))
        days = sorted({key[2] for key in state.world.index if key[0] == group and key[1] in wanted and key[2] >= day})
        return next((each.isoformat() for each in days if free(asking, centres, group, each)), "")

    @routes.get("/crenodispo")
    async def all_free(
        asking: who, centres: centres_query, group: group_query, day: Annotated[date, Query(alias="date")]
    ) -> list[dict[str, Any]]:
        return free(asking, centres, group, day)

    @routes.get("/paniers")
    async def baskets(asking: who) -> list[dict[str, Any]]:
        return [shapes.basket(state, each, asking.school) for each in state.baskets(asking.school.id)]

    @routes.post("/paniers", status_code=201)
    async def open_basket(
        asking: who, response: Response, body: Annotated[shapes.BasketAsked | None, Body()] = None
    ) -> dict[str, Any]:
        made = rules.open_basket(state, asking.employee, body.employeAutoEcoleId if body else None, asking.now)
        response.headers["Location"] = f"{BASE}/paniers/{made.id}"
        return shapes.basket(state, made, asking.school)

    @routes.get("/paniers/{basket_id}")
    async def basket(asking: who, basket_id: str) -> dict[str, Any]:
        return shapes.basket(state, rules.basket_of(state, basket_id, asking.employee), asking.school)

    @routes.delete("/paniers/{basket_id}", status_code=204)
    async def drop(asking: who, basket_id: str) -> None:
        state.drop(rules.basket_of(state, basket_id, asking.employee))

    @routes.post("/paniers/{basket_id}/creneaux", status_code=201)
    async def add(
        asking: who,
        basket_id: str,
        body: shapes.SlotAsked,
        inclure: Annotated[bool | None, Query(alias="inclureEstCandidatObligatoire")] = None,
    ) -> dict[str, Any]:
        found = rules.basket_of(state, basket_id, asking.employee)
        rules.add_slot(state, found, body.creneauId, asking.now)
        asked = {"estCandidatObligatoire": rules.must_name(state, asking.school.id)} if inclure else {}
        return shapes.basket(state, found, asking.school) | asked

    @routes.post("/paniers/{basket_id}/creneaux-multiples", status_code=201)
    async def add_many(asking: who, basket_id: str, body: shapes.SlotsAsked) -> Response:
        found = rules.basket_of(state, basket_id, asking.employee)
        if not body.creneauxId:
            raise Refused("PARAMETRE_INVALIDE")
        good, bad = [], []
        for slot_id in body.creneauxId:
            try:
                rules.add_slot(state, found, slot_id, asking.now)
                good.append(slot_id)
            except Refused:
                bad.append(slot_id)
        whole = shapes.basket(state, found, asking.school)
        if not bad:
            return JSONResponse(whole, 201)
        parts = {"crenauxIdsAjoutesAuPanierAvecSucces": good, "crenauxIdsAjoutesAuPanierEnEchec": bad, "panier": whole}
        return JSONResponse(parts, 207)

    @routes.delete("/paniers/{basket_id}/creneaux/{slot_id}", status_code=204)
    async def remove(asking: who, basket_id: str, slot_id: str) -> None:
        rules.remove_slot(state, rules.basket_of(state, basket_id, asking.employee), slot_id)

    @routes.put("/paniers/{basket_id}/creneaux/{slot_id}/candidat", status_code=204)
    async def name(asking: who, basket_id: str, slot_id: str, body: shapes.CandidateNamed) -> None:
        found = rules.basket_of(state, basket_id, asking.employee)
        rules.name(state, found, slot_id, body.candidatId, asking.now)

    @routes.post("/paniers/{basket_id}/valider")
    async def validate(asking: who, basket_id: str) -> Response:
        found = rules.basket_of(state, basket_id, asking.employee)
        rows = []
        for slot_id, exam, code in rules.validate(state, found, asking.now):
            row: dict[str, Any] = {"creneauId": slot_id, "estReserve": exam is not None}
            row |= {"examenId": exam.id} if exam else {"codeMessage": code}
            rows.append(row)
        failed = any(not row["estReserve"] for row in rows)
        answer = {"panierId": basket_id, "contientAuMoinsUneErreur": failed, "data": rows}
        return JSONResponse(answer, 207 if failed else 200)

    return routes


def _fits(match: shapes.Match | None, text: str) -> bool:
    if match is None or not match.query.strip():
        return True
    asked, known = "".join(match.query.split()).casefold(), "".join(text.split()).casefold()
    return asked == known if match.match == "EXACT" else asked in known
